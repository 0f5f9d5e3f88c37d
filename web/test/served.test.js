// The server leaves comments out of what it sends. That must take nothing else: a line of a template
// that begins like a comment would be gone from the page.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

import { withoutComments } from "../scripts/served.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** @param {string} folder @param {string} ending @returns {string[]} */
function sources(folder, ending) {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return entries.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}

/** @param {string} text @param {"js" | "css"} loader @returns {string} As it is understood: without comments and layout. */
function meaning(text, loader) {
  return transformSync(text, { loader, minifyWhitespace: true, legalComments: "none" }).code;
}

describe("what the server sends", () => {
  it("says what the source says", () => {
    const scripts = ["main.js", ...["net", "state", "ui"].flatMap((folder) => sources(folder, ".js"))];
    const files = [...scripts, ...sources("styles", ".css")];
    assert.ok(files.length > 100);
    for (const file of files) {
      const source = readFileSync(join(root, file), "utf8");
      const loader = file.endsWith(".css") ? "css" : "js";
      assert.equal(meaning(withoutComments(source), loader), meaning(source, loader), file);
    }
  });

  it("has no comment with a line of its own, and keeps a licence", () => {
    const source = "/* What\n * it is */\n/*! MIT */\n// why\nf(/** @type {A} */ (a)); // end\n/** @type {B} */ b;\n";
    assert.equal(withoutComments(source), "/*! MIT */\nf((a)); // end\nb;\n");
  });

  it("would be found wrong if it took more", () => {
    const template = "const text = `\n// not a comment\n`;\n";
    assert.notEqual(meaning(withoutComments(template), "js"), meaning(template, "js"));
  });
});
