// What `vendor/lit.js` exports, and its types. `npm run vendor` bundles exactly this list.

export { html, svg, render, nothing, noChange, LitElement, ReactiveElement } from "lit";
export type { TemplateResult, PropertyDeclarations, PropertyValues, SVGTemplateResult } from "lit";
export { Directive, directive, PartType } from "lit/directive.js";
export type { ElementPart, Part, PartInfo, DirectiveResult } from "lit/directive.js";
export { AsyncDirective } from "lit/async-directive.js";
export { cache } from "lit/directives/cache.js";
export { choose } from "lit/directives/choose.js";
export { classMap } from "lit/directives/class-map.js";
export { guard } from "lit/directives/guard.js";
export { ifDefined } from "lit/directives/if-defined.js";
export { keyed } from "lit/directives/keyed.js";
export { live } from "lit/directives/live.js";
export { createRef, ref } from "lit/directives/ref.js";
export type { Ref } from "lit/directives/ref.js";
export { repeat } from "lit/directives/repeat.js";
export { styleMap } from "lit/directives/style-map.js";
export { unsafeHTML } from "lit/directives/unsafe-html.js";
export { until } from "lit/directives/until.js";
export { when } from "lit/directives/when.js";
