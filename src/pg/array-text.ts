/*
 * Arrays as PostgreSQL prints them
 * (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO): `{1,NULL,"a b"}`, with bounds before it
 * where they are not the usual ones: `[0:1]={1,2}`.
 */

/** OID of pg_type.dat: arrays of bool. */
export const OID_BOOLS = 1000;

/**
 * OIDs of pg_type.dat: arrays of bool, bytea, "char", name, int2, int4, int8, text, oid, bpchar, varchar,
 * float4, float8, xml, json, jsonb, inet, cidr, macaddr, date, time, timestamp, timestamptz, interval,
 * timetz, numeric, bit, varbit and uuid. Those of box have semicolons.
 */
export const ARRAY_OIDS: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1003, 1005, 1007, 1016, 1009, 1028, 1014, 1015, 1021, 1022, 143, 199, 3807, 1041, 651,
  1040, 1182, 1183, 1115, 1185, 1187, 1270, 1231, 1561, 1563, 2951,
]);

const BOUNDS = /^\[-?\d+:-?\d+\]=/;
/** What PostgreSQL prints without quotes has none of these. */
const SPECIAL = /[{}",\\\s]/;

/**
 * Returns the elements of an array of one dimension; null stands for SQL null. Null: the text is no such
 * array, for it has further dimensions, or was masked or cut.
 */
export function arrayElements(text: string): readonly (string | null)[] | null {
  const bounds = text.startsWith('[') ? (BOUNDS.exec(text)?.[0].length ?? 0) : 0;
  if (text[bounds] !== '{' || !text.endsWith('}')) return null;
  const end = text.length - 1;
  let at = bounds + 1;
  if (at === end) return [];
  const elements: (string | null)[] = [];
  for (;;) {
    if (text[at] === '"') {
      let element = '';
      for (at++; at < end && text[at] !== '"'; at++) {
        if (text[at] === '\\') at++;
        element += text[at];
      }
      if (at >= end) return null;
      at++;
      elements.push(element);
    } else {
      const start = at;
      while (at < end && text[at] !== ',') at++;
      const element = text.slice(start, at);
      if (element === '' || SPECIAL.test(element)) return null;
      elements.push(element === 'NULL' ? null : element);
    }
    if (at === end) return elements;
    if (text[at] !== ',') return null;
    at++;
  }
}

/** Returns an element as PostgreSQL prints it within an array. */
export function printedElement(element: string): string {
  const isPlain = element !== '' && !SPECIAL.test(element) && element.toUpperCase() !== 'NULL';
  return isPlain ? element : `"${element.replace(/["\\]/g, '\\$&')}"`;
}
