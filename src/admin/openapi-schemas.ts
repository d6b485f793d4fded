import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { ANSWERS } from '../api/answers.js';

type Components = NonNullable<OpenAPIObject['components']>['schemas'];

/** Returns the answers as components of an OpenAPI 3.0 document. */
export function answerComponents(): Components {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(ANSWERS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    target: 'openapi-3.0',
    // With "output", zod would forbid additional members. Later releases add some.
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ zodSchema, jsonSchema }) => simplify(zodSchema, jsonSchema),
  });
  for (const schema of Object.values(schemas)) delete schema.$id;
  // Each of the two libraries has its own type for this.
  return schemas as Components;
}

/**
 * Removes what zod adds and readers do not need. Adds null to the choices of a nullable enum, as OpenAPI 3.0
 * requires.
 */
function simplify(type: z.core.$ZodType, schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.format === 'date-time') delete schema.pattern;
  if (type instanceof z.ZodNullable && schema.enum !== undefined) schema.enum = [...schema.enum, null];
}
