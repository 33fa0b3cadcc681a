import type * as z from 'zod';
import type { Caller, ProblemDefinition, RouteAccess } from './contract.ts';

/**
 * One operation of an HTTP API: its route, who may use it, and the schemas of what goes in. Its function parses requests by it, the template makes its
 * route and authorizer from it. The parts of a request are parsed in the order in which they are declared, and the first that is wrong is told.
 */
export type OperationDeclaration = RouteAccess & {
  /** `GET /orders/{id}` */
  readonly route: string;
  /** The parameters of the path. */
  readonly path?: z.ZodObject;
  /** What a path is told that its schema refuses. Default: 400 `invalid-request`, with the fields that are wrong. */
  readonly pathProblem?: ProblemDefinition;
  /** The parameters of the query. Without a schema the query is not read. */
  readonly query?: z.ZodObject;
  /** Headers by their names in lower case. Space around a value is not part of it. */
  readonly headers?: z.ZodObject;
  /** A body of JSON. Without one the body is not read. */
  readonly body?: { readonly schema: z.ZodObject; readonly maxBytes: number };
};

/** Name → operation. */
export type Operations = Readonly<Record<string, OperationDeclaration>>;

/** A request whose parts are what the schemas of its operation make of them; undefined: the operation does not declare the part. */
export interface HttpRequest<Path = unknown, Query = unknown, Headers = unknown, Body = unknown> {
  readonly path: Path;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  /** The body's JSON as it was received, before its schema fills in defaults. */
  readonly receivedBody: unknown;
  readonly caller: Caller;
  /** The caller's own, or one that is made for the request. */
  readonly correlationId: string;
}

type Parsed<Declared, Part extends string> = Declared extends { readonly [Name in Part]: infer Schema extends z.ZodType }
  ? z.infer<Schema>
  : undefined;

/** What the handler of an operation gets. */
export type RequestOf<Operation extends OperationDeclaration> = HttpRequest<
  Parsed<Operation, 'path'>,
  Parsed<Operation, 'query'>,
  Parsed<Operation, 'headers'>,
  Operation extends { readonly body: infer Body } ? Parsed<Body, 'schema'> : undefined
>;

export interface HttpResponse {
  readonly status: number;
  readonly body?: unknown;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log line: what became of the request. */
  readonly outcome?: string;
  /** For the log line: what the request was about. */
  readonly aggregateId?: string;
}

/** What readers learn about a parameter of the path or of the query, or a header of a request. */
export interface ParameterDocumentation {
  readonly description: string;
  readonly example?: string;
}

export interface HeaderDocumentation extends ParameterDocumentation {
  readonly schema: z.ZodType;
  /** Whether a response may lack it. Default: false. */
  readonly optional?: true;
}

export interface ResponseDocumentation {
  readonly description: string;
  /** The schema of the body. Without one there is no body. */
  readonly schema?: z.ZodType;
  readonly headers?: Readonly<Record<string, HeaderDocumentation>>;
  readonly example?: unknown;
}

/** What readers learn about an operation. */
export interface OperationDocumentation {
  readonly summary: string;
  readonly description?: string;
  readonly path?: Readonly<Record<string, ParameterDocumentation>>;
  readonly query?: Readonly<Record<string, ParameterDocumentation>>;
  readonly headers?: Readonly<Record<string, ParameterDocumentation>>;
  readonly body?: {
    /** Name → value. */
    readonly examples: Readonly<Record<string, unknown>>;
    /** Field → what it is, where its name does not say it. */
    readonly fields: Readonly<Record<string, string>>;
  };
  /** Status → response. */
  readonly responses: Readonly<Record<number, ResponseDocumentation>>;
  /** Beyond what any function may answer, and what the operation's access entails. */
  readonly problems?: readonly ProblemDefinition[];
}

type Documented<Operation, Part extends string> = Operation extends { readonly [Name in Part]: z.ZodObject<infer Shape> }
  ? { readonly [Name in Part]: { readonly [Parameter in keyof Shape]: ParameterDocumentation } }
  : { readonly [Name in Part]?: undefined };

type DocumentedBody<Operation> = Operation extends { readonly body: { readonly schema: z.ZodObject<infer Shape> } }
  ? {
      readonly body: {
        readonly examples: Readonly<Record<string, unknown>>;
        readonly fields: { readonly [Field in keyof Shape]?: string };
      };
    }
  : { readonly body?: undefined };

/** What must be written about the operations: all of them, each with every parameter that it declares. */
export type DocumentationOf<Declared extends Operations> = {
  readonly [Name in keyof Declared]: Omit<OperationDocumentation, 'path' | 'query' | 'headers' | 'body'> &
    Documented<Declared[Name], 'path'> &
    Documented<Declared[Name], 'query'> &
    Documented<Declared[Name], 'headers'> &
    DocumentedBody<Declared[Name]>;
};

type BodyOf<Response> = Response extends { readonly schema: infer Schema extends z.ZodType }
  ? { readonly body: z.infer<Schema> }
  : { readonly body?: undefined };

type HeadersOf<Response> = Response extends { readonly headers: infer Headers }
  ? {
      readonly headers: {
        readonly [Name in keyof Headers as Headers[Name] extends { readonly optional: true } ? never : Lowercase<Name & string>]: string;
      };
    }
  : unknown;

/** What an operation may return: a documented status with its body and its headers. */
type DocumentedResponse<Responses> = {
  readonly [Status in keyof Responses & number]: HttpResponse & { readonly status: Status } & BodyOf<Responses[Status]> &
    HeadersOf<Responses[Status]>;
}[keyof Responses & number];

/** A handler for each of the operations: it gets parsed values, and returns what is documented. */
export type OperationHandlers<Declared extends Operations, Documentation> = {
  readonly [Name in keyof Declared]: (
    request: RequestOf<Declared[Name]>,
  ) => Promise<
    Documentation extends { readonly [Each in Name]: { readonly responses: infer Responses } } ? DocumentedResponse<Responses> : never
  >;
};
