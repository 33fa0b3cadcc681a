import { responseOf, type Json, type OpenApiDocument, type OperationObject } from './openapi.ts';

/** The TypeScript client of a document: a type for every named schema, a method for every operation. */
export function clientSource(document: OpenApiDocument): string {
  const types = Object.entries(document.components.schemas)
    .filter(([name]) => name !== 'Problem' && name !== 'GatewayMessage')
    .map(([name, schema]) => `export interface ${name} ${typeOf(schema, '')}\n`);
  const methods = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => methodOf(document, method.toUpperCase(), path, operation)),
  );
  return `// Made from lambdas/contract/openapi.json by \`npm run client\`; changes belong into the contract.
import { send, type Answer, type ClientOptions } from './http.ts';

${types.join('\n')}
/** Options of every operation. */
export interface CallOptions {
  /** The caller’s own, or one that is made for the request. Every log line and message of the request carries it. */
  readonly correlationId?: string;
}

/** The API of Order Saga. Every method throws ApiProblem for an answer of 400 and above. */
export class OrderSagaClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }
${methods.join('')}}
`;
}

/** `Idempotency-Key` → `idempotencyKey`. */
function camelCase(name: string): string {
  return name.toLowerCase().replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function methodOf(document: OpenApiDocument, method: string, path: string, operation: OperationObject): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const of = (place: string) => parameters.filter((parameter) => parameter.in === place && parameter.name !== 'X-Correlation-Id');
  const headers = of('header');
  const query = of('query');
  const answers = Object.entries(responses)
    .filter(([status]) => Number(status) < 400)
    .map(([status, response]) => {
      const schema = responseOf(document, response).content?.['application/json']?.schema;
      return `Answer<${status}, ${schema === undefined ? 'undefined' : typeOf(schema, '  ')}>`;
    });
  const fields = (list: typeof parameters, nameOf: (name: string) => string): string =>
    list
      .map(
        ({ name, schema, required, description: text }) =>
          `${comment('  ', text)}    readonly ${nameOf(name)}${required ? '' : '?'}: ${typeOf(schema, '    ')};\n`,
      )
      .join('');
  const schema = requestBody?.content['application/json']?.schema;
  const signature = [
    ...of('path').map(({ name }) => `${name}: string`),
    ...(schema === undefined ? [] : [`body: ${typeOf(schema, '  ')}`]),
    ...(query.length === 0 ? [] : [`query: {\n${fields(query, String)}  } = {}`]),
    headers.length === 0
      ? 'options: CallOptions = {}'
      : `options: CallOptions & {\n${fields(headers, camelCase)}  }${headers.some(({ required }) => required) ? '' : ' = {}'}`,
  ];
  // Without a key of the caller's own, all tries of one call still have one. What demands a key has none made here: it must outlive the caller.
  const valueOf = ({ name, required }: (typeof headers)[number]): string =>
    `options.${camelCase(name)}${name === 'Idempotency-Key' && !required ? ' ?? crypto.randomUUID()' : ''}`;
  const sent = [
    ...headers.map((parameter) => `'${parameter.name.toLowerCase()}': ${valueOf(parameter)}`),
    `'x-correlation-id': options.correlationId`,
  ];
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `\${encodeURIComponent(${name})}`);
  const result = answers.join(' | ');
  return `
  /** ${[summary, description]
    .filter((text) => text !== undefined)
    .join('. ')
    .replace(/\.?$/, '.')} \`${method} ${path}\` */
  ${operationId}(${signature.join(', ')}): Promise<${result}> {
    return send(this.#options, {
      method: '${method}',
      path: ${filled === path ? `'${path}'` : `\`${filled}\``},
${query.length > 0 ? '      query,\n' : ''}${schema === undefined ? '' : '      body,\n'}      headers: { ${sent.join(', ')} },
    }) as Promise<${result}>;
  }
`;
}

function comment(indent: string, text: unknown): string {
  return typeof text === 'string' ? `${indent}  /** ${text} */\n` : '';
}

/** A JSON Schema as a TypeScript type. @throws Error for a schema that the document does not use today */
function typeOf(schema: Json, indent: string): string {
  if (typeof schema['$ref'] === 'string') return schema['$ref'].split('/').at(-1)!;
  if (schema['const'] !== undefined) return literal(schema['const']);
  if (Array.isArray(schema['enum'])) return schema['enum'].map(literal).join(' | ');
  switch (schema['type']) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array': {
      const item = typeOf(schema['items'] as Json, indent);
      return item.includes(' | ') || item.includes('{') ? `readonly (${item})[]` : `readonly ${item}[]`;
    }
    case 'object': {
      const required = new Set((schema['required'] as string[] | undefined) ?? []);
      const fields = Object.entries((schema['properties'] as Record<string, Json> | undefined) ?? {}).map(
        ([name, field]) =>
          `${comment(indent, field['description'])}${indent}  readonly ${name}${required.has(name) ? '' : '?'}: ${typeOf(field, `${indent}  `)};\n`,
      );
      return `{\n${fields.join('')}${indent}}`;
    }
    default:
      throw new Error(`the generator does not know ${JSON.stringify(schema)}`);
  }
}

/** A literal type, quoted as the formatter would. */
function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}
