import * as z from 'zod';
import {
  correlationHeader,
  documentation,
  gatewayOccasions,
  namedSchemas,
  problemMeanings,
} from '../../lambdas/contract/api/documentation.ts';
import { operations, problemsOf, type OperationName } from '../../lambdas/contract/api.ts';
import { commonProblems, gatewayAnswers, problemType, type Access } from '@outbox-saga/kit/http/contract';
import type {
  OperationDeclaration,
  OperationDocumentation,
  ParameterDocumentation,
  ResponseDocumentation,
} from '@outbox-saga/kit/http/operations';
import type { ProblemKind } from '../../lambdas/contract/problems.ts';

/** A JSON Schema, or any other part of an OpenAPI document. */
export type Json = { readonly [key: string]: unknown };

interface MediaType {
  readonly schema: Json;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Json[];
  readonly parameters: readonly ParameterObject[];
  readonly requestBody?: { readonly required: true; readonly content: Readonly<Record<string, MediaType>> };
  /** Status → answer, or a reference to one that is the same everywhere. */
  readonly responses: Record<string, ResponseObject | { readonly $ref: string }>;
}

export interface ParameterObject {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Json;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, MediaType & { readonly description: string }>>;
  readonly content?: Readonly<Record<string, MediaType>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly securitySchemes: Json;
  };
  readonly [key: string]: unknown;
}

/** A document's answer, its reference resolved. */
export function responseOf({ components }: OpenApiDocument, response: ResponseObject | { readonly $ref: string }): ResponseObject {
  return '$ref' in response ? components.responses[response.$ref.split('/').at(-1)!]! : response;
}

const reference = (name: string): string => `#/components/schemas/${name}`;

/** What any function may answer beside what its operation says. The first is for the correlation id. */
const always: readonly ProblemKind[] = [commonProblems.invalidRequest, commonProblems.internal, commonProblems.tryAgain];

const problemSchema: Json = {
  type: 'object',
  description: 'A problem document (RFC 9457).',
  properties: {
    type: { type: 'string', description: 'The kind of problem, for programs. It never changes.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What is wrong this time, for people.' },
    errors: {
      type: 'array',
      description: 'Every field that is wrong.',
      items: {
        type: 'object',
        properties: {
          field: { type: 'string', description: '`items.0.qty`, `header:…`, `query:…` or `path:…`.' },
          message: { type: 'string' },
        },
        required: ['field', 'message'],
      },
    },
    correlationId: { type: 'string', description: 'The id under which the request is logged.' },
  },
  required: ['type', 'title', 'status', 'detail', 'correlationId'],
};

const gatewaySchema: Json = {
  type: 'object',
  description: 'What the gateway says itself, before any function.',
  properties: { message: { type: 'string' } },
  required: ['message'],
};

/** The contract as an OpenAPI 3.1 document: the schemas in it are those that requests are parsed by. */
export function openApiDocument(version: string): OpenApiDocument {
  for (const name of Object.keys(documentation) as OperationName[]) describeBody(operations[name], documentation[name]);
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(namedSchemas)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: reference }) as unknown as { schemas: Record<string, Json> };
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const name of Object.keys(documentation) as OperationName[]) {
    const [method, path] = operations[name].route.split(' ') as [string, string];
    (paths[path] ??= {})[method.toLowerCase()] = operationObject(name);
  }
  const shared = shareResponses(paths);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Order Saga',
      version,
      description:
        'Orders through a transactional outbox and a saga. Money is in the currency’s minor unit, times are ISO 8601. Errors are problem documents; what the gateway answers itself is `{"message": …}`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      { url: 'http://localhost:3000', description: 'npm start' },
      {
        url: 'https://{api}.execute-api.{region}.amazonaws.com',
        description: 'AWS: the output ApiUrl',
        variables: { api: { default: 'api' }, region: { default: 'us-east-1' } },
      },
    ],
    paths,
    components: {
      schemas: {
        ...Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema])),
        Problem: problemSchema,
        GatewayMessage: gatewaySchema,
      },
      responses: shared,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A customer’s token, where an issuer is configured. Its `sub` is the customer.',
        },
        iam: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'AWS Signature Version 4 for the service `execute-api`.',
          'x-amazon-apigateway-authtype': 'awsSigv4',
        },
      },
    },
  };
}

/** Answers of one status that are the same everywhere stand in the document once. */
function shareResponses(paths: Record<string, Record<string, OperationObject>>): Record<string, ResponseObject> {
  const all = Object.values(paths).flatMap((path) => Object.values(path));
  const shared: Record<string, ResponseObject> = {};
  for (const status of new Set(all.flatMap(({ responses }) => Object.keys(responses)))) {
    const [first, ...others] = all.flatMap(({ responses }) => (responses[status] as ResponseObject | undefined) ?? []);
    const same = others.length > 0 && others.every((response) => JSON.stringify(response) === JSON.stringify(first));
    if (!first || !same) continue;
    shared[`Answer${status}`] = first;
    for (const { responses } of all) if (responses[status]) responses[status] = { $ref: `#/components/responses/Answer${status}` };
  }
  return shared;
}

function operationObject(operationId: OperationName): OperationObject {
  const operation: OperationDeclaration = operations[operationId];
  const documented: OperationDocumentation = documentation[operationId];
  const { access, body } = operation;
  const { summary, description } = documented;
  const security = access === 'open' ? [] : access === 'operator' ? [{ iam: [] }] : [{ token: [access.scope] }, { iam: [] }];
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    security,
    parameters: parametersOf(operation, documented),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: jsonSchema(body.schema),
                examples: Object.fromEntries(Object.entries(documented.body?.examples ?? {}).map(([name, value]) => [name, { value }])),
              },
            },
          },
        }),
    responses: responsesOf(operationId),
  };
}

/** Gives the fields of a body their descriptions: its schema has none, as functions carry it. */
function describeBody({ body }: OperationDeclaration, documented: OperationDocumentation): void {
  for (const [field, description] of Object.entries(documented.body?.fields ?? {}))
    z.globalRegistry.add(body!.schema.shape[field] as z.ZodType, { description });
}

/** `if-match` → `If-Match` */
function headerName(name: string): string {
  return name.replaceAll(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

function parametersOf(
  { path, query, headers }: OperationDeclaration,
  { path: documentedPath = {}, query: documentedQuery = {}, headers: documentedHeaders = {} }: OperationDocumentation,
): ParameterObject[] {
  const parameter = (place: 'path' | 'header', schema: z.ZodType, [name, { description, example }]: [string, ParameterDocumentation]) => ({
    name,
    in: place,
    required: !schema.safeParse(undefined).success,
    description,
    schema: jsonSchema(schema),
    ...(example === undefined ? {} : { example }),
  });
  const declared = (part: z.ZodObject | undefined, name: string): z.ZodType => part?.shape[name] as z.ZodType;
  // What a query parameter is after parsing is what it means: its text is only its form.
  const { properties = {} } = query ? (z.toJSONSchema(query, { io: 'output' }) as { properties?: Record<string, Json> }) : {};
  return [
    ...Object.entries(documentedPath).map(([name, text]) => parameter('path', declared(path, name), [name, text])),
    ...Object.entries(documentedQuery).map(([name, { description }]): ParameterObject => ({
      name,
      in: 'query',
      required: false,
      description,
      schema: properties[name]!,
    })),
    ...Object.entries(documentedHeaders).map(([name, text]) => parameter('header', declared(headers, name), [headerName(name), text])),
    parameter('header', correlationHeader.schema.optional(), ['X-Correlation-Id', correlationHeader]),
  ];
}

function responsesOf(name: OperationName): Record<string, ResponseObject> {
  const responses: Record<string, ResponseObject> = {};
  for (const [status, response] of Object.entries<ResponseDocumentation>(documentation[name].responses))
    responses[status] = responseObject(response);
  const kinds = [...problemsOf(name), ...always];
  const own = gatewayOf(operations[name].access);
  for (const status of [...new Set([...kinds, ...own.map((answer) => gatewayAnswers[answer])].map((refusal) => refusal.status))].toSorted(
    (a, b) => a - b,
  )) {
    const documents = kinds.filter((kind) => kind.status === status);
    const messages = own.filter((answer) => gatewayAnswers[answer].status === status);
    const retry = documents.find((kind) => 'retryAfterSeconds' in kind);
    responses[status] = {
      description: [
        ...documents.map((kind) => `\`${problemType(kind)}\`: ${problemMeanings[kind.slug]}`),
        ...messages.map((answer) => `The gateway’s \`${gatewayAnswers[answer].message}\`: ${gatewayOccasions[answer]}.`),
      ].join('\n\n'),
      headers: {
        ...(documents.length > 0 ? correlation : {}),
        ...(retry
          ? { 'Retry-After': { description: 'After how many seconds the same request may be sent again.', schema: { type: 'integer' } } }
          : {}),
      },
      content: {
        ...(documents.length > 0 ? { 'application/problem+json': { schema: { $ref: reference('Problem') } } } : {}),
        ...(messages.length > 0 ? { 'application/json': { schema: { $ref: reference('GatewayMessage') } } } : {}),
      },
    };
  }
  return responses;
}

/** Of the gateway's own answers, those that a matched route can meet. */
function gatewayOf(access: Access): (keyof typeof gatewayAnswers)[] {
  return (Object.keys(gatewayAnswers) as (keyof typeof gatewayAnswers)[]).filter((answer) => {
    if (answer === 'unauthorized') return typeof access === 'object';
    return answer === 'forbidden' ? access !== 'open' : answer !== 'notFound';
  });
}

const correlation = { 'X-Correlation-Id': { description: correlationHeader.description, schema: jsonSchema(correlationHeader.schema) } };

function responseObject({ description, schema, headers = {}, example }: ResponseDocumentation): ResponseObject {
  return {
    description,
    headers: {
      ...correlation,
      ...Object.fromEntries(
        Object.entries(headers).map(([name, header]) => [name, { description: header.description, schema: jsonSchema(header.schema) }]),
      ),
    },
    ...(schema === undefined
      ? {}
      : { content: { 'application/json': { schema: jsonSchema(schema), ...(example === undefined ? {} : { example }) } } }),
  };
}

/** A reference where the schema has a name. */
function jsonSchema(schema: z.ZodType): Json {
  const name = Object.entries(namedSchemas).find(([, named]) => named === schema)?.[0];
  if (name !== undefined) return { $ref: reference(name) };
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' });
  return json;
}
