import type { z } from 'zod';
import type { KeyPath } from './document.js';

/* Finds the branch of a union that a value of the file was meant for. Errors refer to that branch. */

/**
 * Returns the index of the branch that fits the type of the value; -1: none does. Among several objects with
 * known keys, the one that has the most of the value's keys counts. Between an object and a mapping with free
 * names, the mapping counts if every value is a mapping itself.
 */
export function meantBranch(union: z.core.$ZodType, value: unknown): number {
  if (typeof value !== 'object' || value === null) return -1;
  const types = (union as z.core.$ZodUnion)._zod.def.options.map((option) => unwrapped(option)._zod.def.type);
  if (Array.isArray(value)) return types.indexOf('array');
  const members: unknown[] = Object.values(value);
  const [object, record] = [nearestObject(union, Object.keys(value)), types.indexOf('record')];
  if (object < 0 || record < 0) return Math.max(object, record);
  return members.every((member) => typeof member === 'object' && member !== null) ? record : object;
}

/**
 * Returns the index of the object branch that has the most of these keys, or the first of equals; -1: there
 * is none.
 */
function nearestObject(union: z.core.$ZodType, keys: readonly string[]): number {
  let [nearest, most] = [-1, -1];
  for (const [index, option] of (union as z.core.$ZodUnion)._zod.def.options.entries()) {
    const bare = unwrapped(option);
    if (bare._zod.def.type !== 'object') continue;
    const { shape } = (bare as z.core.$ZodObject)._zod.def;
    const known = keys.filter((key) => Object.hasOwn(shape, key)).length;
    if (known > most) [nearest, most] = [index, known];
  }
  return nearest;
}

/**
 * Returns the schema at a path, following the branches that the data were meant for; undefined: there is
 * none.
 */
export function schemaAt(root: z.core.$ZodType, path: KeyPath, data: unknown): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = root;
  let value = data;
  for (const step of path) {
    const parent = objectOf(schema, value);
    if (parent === undefined) return undefined;
    schema = child(parent, step);
    value = (value as Readonly<Record<string | number, unknown>> | null | undefined)?.[step];
    if (schema === undefined) return undefined;
  }
  return schema;
}

/** Returns the schema without optional wrappers. For a union, it is the branch that was meant. */
export function objectOf(schema: z.core.$ZodType | undefined, value: unknown): z.core.$ZodType | undefined {
  if (schema === undefined) return undefined;
  const bare = unwrapped(schema);
  if (bare._zod.def.type !== 'union') return bare;
  const { options } = (bare as z.core.$ZodUnion)._zod.def;
  const meant =
    options[meantBranch(bare, value)] ?? options.find((option) => option._zod.def.type === 'object');
  return meant === undefined ? bare : objectOf(meant, value);
}

export function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const { type } = schema._zod.def;
  if (type === 'optional' || type === 'default' || type === 'nullable')
    return unwrapped((schema as z.core.$ZodOptional)._zod.def.innerType);
  return schema;
}

function child(schema: z.core.$ZodType, step: string | number): z.core.$ZodType | undefined {
  const { type } = schema._zod.def;
  if (type === 'object') return (schema as z.core.$ZodObject)._zod.def.shape[step];
  if (type === 'record') return (schema as z.core.$ZodRecord)._zod.def.valueType;
  if (type === 'array') return (schema as z.core.$ZodArray)._zod.def.element;
  return undefined;
}
