// Records (plain objects used as maps) that are never changed in place.

/**
 * @template Value
 * @param {Record<string, Value>} record
 * @param {string} key
 * @returns {Record<string, Value>} Without `key`; the same record if it was not in it.
 */
export function omit(record, key) {
  if (!(key in record)) return record;
  const { [key]: _gone, ...rest } = record;
  return rest;
}

/**
 * @template {{ id: string }} Value
 * @param {Iterable<Value>} values
 * @returns {Record<string, Value>}
 */
export function byId(values) {
  /** @type {Record<string, Value>} */
  const record = {};
  for (const value of values) record[value.id] = value;
  return record;
}
