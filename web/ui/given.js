/*
 * The first value of a property that an element is given before its first draw.
 *
 * Why: Lit makes accessors on the prototype, so a class field would hide them; the constructor must
 * assign, and the type checker must believe that the value is there.
 *
 * @module
 */

/** @returns {any} */
export function given() {
  return undefined;
}
