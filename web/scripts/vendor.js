// Makes `vendor/lit.js`: the parts of Lit that the client uses, as one ES module.
//
// The result is committed, so that running Switchback needs no npm and no build. What is exported is
// decided in `vendor/lit.d.ts`, which is also its type: one list, so that the two cannot differ.
//
// One defect is mended on the way (lit/lit#5298, since lit-html 3.3.1): of a list's item that goes, the
// end marker stayed in the document, one comment for each message that was ever shown. Where the text
// is another one, a new version may have mended it itself: look, and take this away.

import { build } from "esbuild";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const exports = await readFile(`${root}/vendor/lit.d.ts`, "utf8");
const { version } = JSON.parse(await readFile(`${root}/node_modules/lit/package.json`, "utf8"));

const banner = `/*!
 * Lit ${version}, vendored by \`npm run vendor\` from the npm package "lit"; not edited by hand, but by
 * that script: removePart also removes the end marker (lit/lit#5298).
 *
 * Copyright 2017-2025 Google LLC. SPDX-License-Identifier: BSD-3-Clause
 *
${bsd3(await readFile(`${root}/node_modules/lit/LICENSE`, "utf8"))}
 */`;

await build({
  stdin: { contents: exports, loader: "ts", resolveDir: root, sourcefile: "lit.ts" },
  outfile: `${root}/vendor/lit.js`,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  charset: "utf8",
  banner: { js: banner },
  plugins: [{ name: "mend", setup: (build) => build.onLoad({ filter: /lit-html\/directive-helpers\.js$/ }, mend) }],
});
const { size } = await stat(`${root}/vendor/lit.js`);
console.log(`vendor/lit.js: Lit ${version}, ${size} bytes`);

/** @param {{ path: string }} file */
async function mend({ path }) {
  const [broken, mended] = ["._$AR(),o._$AA.remove()}", "._$AR(),o._$AA.remove(),o._$AB?.remove()}"];
  const text = await readFile(path, "utf8");
  if (text.split(broken).length !== 2) throw new Error(`${path} is not as it was: see above`);
  return { contents: text.replace(broken, () => mended) };
}

/** @param {string} licence Lit's own text, as the body of a comment. */
function bsd3(licence) {
  return licence
    .trim()
    .split("\n")
    .map((line) => ` * ${line}`.trimEnd())
    .join("\n");
}
