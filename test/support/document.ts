import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { responseOf, type Json, type OpenApiDocument, type OperationObject } from '../../client/generate/openapi.ts';
import committed from '../../lambdas/contract/openapi.json' with { type: 'json' };

/** The document as it is committed. */
export const document = committed as unknown as OpenApiDocument;

/** An answer must have no field that its schema does not tell: clients would find out by themselves, and rely on it. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (schema === null || typeof schema !== 'object') return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  return inner['type'] === 'object' && inner['properties'] !== undefined ? { additionalProperties: false, ...inner } : inner;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
// The package's types name the module, not its default export.
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
const answers = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(answers);
ajv.addSchema({ $id: 'document', ...document });
answers.addSchema({ $id: 'document', ...(strict(document) as OpenApiDocument) });

const compiled = new Map<Ajv2020, Map<string, ValidateFunction>>();

function problemsWith(validator: Ajv2020, schema: Json, value: unknown): string | undefined {
  const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
  const known = compiled.get(validator) ?? new Map<string, ValidateFunction>();
  compiled.set(validator, known);
  const validate = known.get(text) ?? validator.compile(JSON.parse(text) as Json);
  known.set(text, validate);
  return validate(value) ? undefined : validator.errorsText(validate.errors);
}

/** What is wrong with a value by a schema of the document; undefined: nothing. */
export function mismatch(schema: Json, value: unknown): string | undefined {
  return problemsWith(ajv, schema, value);
}

const operations = Object.entries(document.paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^${template.replaceAll('.', String.raw`\.`).replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    fixed: !template.includes('{'),
    operation,
  })),
);

export function operationOf(method: string, path: string): OperationObject | undefined {
  const fitting = operations.filter((entry) => entry.method === method && entry.pattern.test(path));
  return (fitting.find(({ fixed }) => fixed) ?? fitting[0])?.operation;
}

/** What a path without an operation may answer: `$default` demands IAM and then says 404 or 405; the gateway refuses what is malformed. */
const elsewhere = { problems: [400, 404, 405], gateway: [204, 400, 403, 404, 413, 431] };

/**
 * Holds an answer against the document.
 *
 * @returns what of it is not documented; undefined: it is as the document says
 */
export function undocumented(method: string, path: string, answer: { status: number; headers: Headers; text: string }): string | undefined {
  const type = answer.headers.get('content-type')?.split(';')[0];
  const operation = operationOf(method, path);
  if (!operation) {
    const statuses = type === 'application/problem+json' ? elsewhere.problems : elsewhere.gateway;
    if (!statuses.includes(answer.status)) return `status ${answer.status} where there is no operation`;
    return answer.status === 405 && !answer.headers.has('allow') ? 'status 405 without Allow' : undefined;
  }
  const response = operation.responses[String(answer.status)];
  if (!response) return `status ${answer.status}`;
  const { content, headers = {} } = responseOf(document, response);
  const fromFunction = answer.headers.has('x-correlation-id');
  for (const name of Object.keys(headers)) {
    const optional = ['Idempotency-Replayed', 'Retry-After'].includes(name) || !fromFunction;
    if (!optional && !answer.headers.has(name)) return `no header ${name} with status ${answer.status}`;
  }
  if (content === undefined) return answer.text === '' ? undefined : `a body with status ${answer.status}`;
  const schema = content[type ?? '']?.schema;
  if (!schema) return `content type ${type} with status ${answer.status}`;
  return problemsWith(answers, schema, JSON.parse(answer.text));
}
