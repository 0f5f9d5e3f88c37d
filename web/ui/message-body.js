/*
 * A message's text as the page shows it.
 *
 * Why the HTML is trusted: the server has rendered and sanitized it, once, from Markdown. It enters
 * the page through the one Trusted Types policy made for it, and nothing else may use that policy.
 * Here it gets what depends on the reader: which mention means oneself, where links open, and
 * frames for what may be wider than the page.
 */

import { copyText } from "./clipboard.js";

/** @import { UserId } from "../types.js" */
/** @import { App } from "./shape.js" */

/** @typedef {{ createHTML(html: string): string }} Policy */

/** @type {Policy} */
const policy = makePolicy();

/** @returns {Policy} */
function makePolicy() {
  const rules = { createHTML: (/** @type {string} */ html) => html };
  const factory = /** @type {{ trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }} */ (
    globalThis
  ).trustedTypes;
  return factory ? factory.createPolicy("switchback-message", rules) : rules;
}

/**
 * @param {App} app
 * @param {string} html sanitized by the server
 * @param {UserId | undefined} me
 * @returns {DocumentFragment}
 */
export function messageBody(app, html, me) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  const body = template.content;
  for (const mention of body.querySelectorAll(".mention, .mention-room")) {
    const mine = mention.classList.contains("mention-room") || mention.getAttribute("data-user") === me;
    mention.classList.toggle("me", mine);
  }
  for (const link of body.querySelectorAll("a[href]")) openApart(link);
  for (const block of body.querySelectorAll("pre")) frameCode(app, block);
  for (const table of body.querySelectorAll("table")) frame(table, "table-scroll", "Table");
  return body;
}

/**
 * Links to elsewhere open in a tab of their own, which learns nothing of this page.
 *
 * @param {Element} link
 */
function openApart(link) {
  if (!(link instanceof HTMLAnchorElement) || link.origin === location.origin) return;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

/**
 * Long lines scroll inside a frame that the keyboard can reach.
 *
 * @param {Element} inner
 * @param {string} className
 * @param {string} name
 */
function frame(inner, className, name) {
  const outer = document.createElement("div");
  outer.className = className;
  outer.tabIndex = 0;
  outer.setAttribute("role", "group");
  outer.setAttribute("aria-label", name);
  inner.replaceWith(outer);
  outer.append(inner);
  return outer;
}

/**
 * @param {App} app
 * @param {HTMLPreElement} block
 */
function frameCode(app, block) {
  const scroll = frame(block, "code-scroll", "Code");
  const outer = document.createElement("div");
  outer.className = "code-block";
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "code-copy";
  copy.textContent = "Copy";
  copy.setAttribute("aria-label", "Copy code");
  copy.addEventListener("click", () => copyText(app, block.textContent ?? "", "Code copied."));
  scroll.replaceWith(outer);
  outer.append(scroll, copy);
}
