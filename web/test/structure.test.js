// What must stay absent: the state knows no page and no network, what is served needs nothing that
// is not served, and the vendored module is the one that the lockfile names.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const served = ["net", "state", "ui"].flatMap((folder) => sources(folder));

/** @param {string} folder @returns {string[]} */
function sources(folder) {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return entries.filter((name) => name.endsWith(".js")).map((name) => join(folder, name));
}

/** @param {string} file @returns {string} Without comments. */
function code(file) {
  return readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
}

/** @param {string} file @returns {string[]} What it imports, as paths from the root. */
function imports(file) {
  const found = [...code(file).matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
  return found.map((path) => (path.startsWith(".") ? normalize(join(dirname(file), path)) : path));
}

describe("the structure", () => {
  it("imports one way: ui on net and state, net on state, state on nothing", () => {
    const allowed = { state: ["state"], net: ["net", "state"], ui: ["ui", "net", "state", "vendor"] };
    for (const file of served) {
      const folder = /** @type {keyof typeof allowed} */ (file.split("/")[0]);
      for (const path of imports(file)) {
        assert.ok(allowed[folder].includes(path.split("/")[0] ?? ""), `${file} imports ${path}`);
        assert.ok(path.endsWith(".js"), `${file} imports ${path}`);
        readFileSync(join(root, path));
      }
    }
  });

  it("keeps the state pure, and drawing apart from talking", () => {
    const globals = /\b(?:document|window|navigator|localStorage|indexedDB)\./;
    const world = /\b(?:document|window|navigator|localStorage|indexedDB)\.|\b(?:fetch|setTimeout|setInterval)\(|\bnew WebSocket|\bDate\.now|\bMath\.random/;
    for (const file of sources("state")) assert.doesNotMatch(code(file), world, file);
    for (const file of sources("ui")) assert.doesNotMatch(code(file), /\b(?:fetch\(|XMLHttpRequest|new WebSocket|EventSource)/, file);
    for (const file of sources("net")) if (file !== "net/env.js") assert.doesNotMatch(code(file), globals, file);
  });

  it("explains each module at its head, in files that can be read at once", () => {
    for (const file of served) {
      const text = readFileSync(join(root, file), "utf8");
      assert.match(text, /^(?:\/\/|\/\*)/, `${file} does not say what it is`);
      assert.ok(text.split("\n").length <= 600, `${file} is too long`);
    }
  });

  it("vendors the Lit that the lockfile names, with its licence", () => {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    const vendored = readFileSync(join(root, "vendor/lit.js"), "utf8");
    assert.match(vendored, new RegExp(`Lit ${lock.packages["node_modules/lit"].version.replaceAll(".", "\\.")},`));
    assert.match(vendored, /BSD-3-Clause/);
    assert.doesNotMatch(JSON.stringify(lock), /"resolved"/);
  });
});
