import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type * as z from 'zod';
import { commonProblems, type ProblemDefinition } from './contract.ts';
import type { HttpRequest, OperationDeclaration } from './operations.ts';
import { fieldProblems, invalid, Problem } from './problem.ts';
import { duplicateKey } from './json.ts';

/** The parts of a request, by whichever operation. */
type Parts = Pick<HttpRequest, 'path' | 'query' | 'headers' | 'body' | 'receivedBody'>;

/**
 * A request's parts as the operation declares them, and in that order.
 *
 * @throws Problem for the first part that is wrong: the operation's own for its path, 400, 413 or 415
 */
export function parseRequest(operation: OperationDeclaration, event: APIGatewayProxyEventV2): Parts {
  const parts: Parts = { path: undefined, query: undefined, headers: undefined, body: undefined, receivedBody: undefined };
  for (const part of Object.keys(operation)) Object.assign(parts, parsePart(part, operation, event));
  return parts;
}

function parsePart(part: string, { path, pathProblem, query, headers, body }: OperationDeclaration, event: APIGatewayProxyEventV2): object {
  if (part === 'path' && path) return { path: parsed(path, event.pathParameters ?? {}, 'path', pathProblem) };
  if (part === 'query' && query) return { query: parsed(query, event.queryStringParameters ?? {}, 'query') };
  if (part === 'headers' && headers) {
    const given = Object.keys(headers.shape).map((name) => [name, event.headers[name]?.trim()]);
    return { headers: parsed(headers, Object.fromEntries(given), 'header') };
  }
  if (part === 'body' && body) {
    const receivedBody = readJson(event, body.maxBytes);
    const result = body.schema.safeParse(receivedBody);
    if (!result.success) throw invalid(fieldProblems(result.error, 'body'));
    return { body: result.data, receivedBody };
  }
  return {};
}

/** Parameters by their schema. Wrong ones are told with the place in front, as in `query:limit`. */
function parsed(schema: z.ZodObject, given: Readonly<Record<string, unknown>>, place: string, refusal?: ProblemDefinition): object {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw refusal ? new Problem(refusal) : invalid(fieldProblems(result.error, place, `${place}:`));
}

/** The JSON value of a body. @throws Problem 400, 413 or 415 that names what is wrong */
function readJson(event: APIGatewayProxyEventV2, maxBytes: number): unknown {
  const contentType = event.headers['content-type'];
  if (contentType !== undefined && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) {
    throw new Problem(commonProblems.unsupportedMediaType, {
      fields: [{ field: 'header:content-type', message: 'must be application/json' }],
    });
  }
  const encoding = event.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    // A few compressed kilobytes can be gigabytes, and no request of this API needs that.
    throw new Problem(commonProblems.unsupportedMediaType, {
      fields: [{ field: 'header:content-encoding', message: 'must be absent or identity' }],
    });
  }
  const text = bodyText(event, maxBytes);
  let received: unknown;
  try {
    received = JSON.parse(text);
  } catch (cause) {
    const message = text.trim() === '' ? 'is empty' : 'is not JSON';
    throw new Problem(commonProblems.malformedBody, { cause, fields: [{ field: 'body', message }] });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw invalid([{ field: 'body', message: `has the key ${JSON.stringify(twice.slice(0, 100))} twice in one object` }]);
  return received;
}

function bodyText(event: APIGatewayProxyEventV2, maxBytes: number): string {
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > maxBytes) {
    throw new Problem(commonProblems.bodyTooLarge, {
      detail: `body: ${bytes.length} bytes, at most ${maxBytes} are accepted`,
      fields: [{ field: 'body', message: `must be at most ${maxBytes} bytes` }],
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Problem(commonProblems.malformedBody, { cause, fields: [{ field: 'body', message: 'is not UTF-8' }] });
  }
}
