// Remembers the last result of a pure function for as long as its inputs are the same objects.
//
// One result is enough: there is one state, and what is drawn again and again is drawn from it.

/**
 * @template {readonly unknown[]} Inputs
 * @template Result
 * @param {(...inputs: Inputs) => Result} compute
 * @returns {(...inputs: Inputs) => Result}
 */
export function memo(compute) {
  /** @type {Inputs | null} */
  let last = null;
  /** @type {Result} */
  let result;
  return (...inputs) => {
    if (last && last.length === inputs.length && last.every((value, at) => value === inputs[at])) return result;
    result = compute(...inputs);
    last = inputs;
    return result;
  };
}
