import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { answerComponents } from './openapi-schemas.js';

/** Path of Swagger UI. Its own Content-Security-Policy allows the inline styles that it uses (http.ts). */
export const DOCS_PATH = '/docs';
/** Path of the OpenAPI document. */
export const OPENAPI_PATH = '/v1/openapi.json';

/**
 * Serves the OpenAPI document and Swagger UI. Both describe the API and show no data, so they need no token.
 */
export function serveOpenApi(
  app: NestFastifyApplication,
  options: { readonly version: string; readonly cookie: string },
): void {
  let document: OpenAPIObject | undefined;
  SwaggerModule.setup(DOCS_PATH.slice(1), app, () => (document ??= describeApi(app, options)), {
    jsonDocumentUrl: OPENAPI_PATH.slice(1),
    raw: ['json'],
    customSiteTitle: 'Waltrail API',
  });
}

function describeApi(
  app: NestFastifyApplication,
  { version, cookie }: { readonly version: string; readonly cookie: string },
): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Waltrail')
    .setDescription(
      'The audit trail: who changed what, when, from which value to which value. Times are UTC. Ranges are half-open: [from, to). Errors are problem documents (RFC 9457).',
    )
    .setVersion(version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'waltrail token create' }, 'bearer')
    .addCookieAuth(cookie, { type: 'apiKey', in: 'cookie' }, 'cookie')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) =>
      `${controller.replace(/Controller$/, '').toLowerCase()}.${method}`,
  });
  return {
    ...document,
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, ...answerComponents() },
    },
  };
}
