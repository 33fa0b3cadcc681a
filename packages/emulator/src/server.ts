import { bodyOf, startServer, type LocalServer } from './http-server.ts';
import { AwsError } from './aws-error.ts';
import type { EmbeddedAws } from './embedded.ts';
import { answered, inputOf, mostBodyBytes, refused } from './protocol.ts';

/**
 * Serves the engine on a port of the loopback interface, without identities and policies: for tests, and for whoever wants only DynamoDB and SQS.
 *
 * @param options.port default 0: a free one
 * @param options.onProblem gets what went wrong within the server itself. Default: it is written to standard error
 * @throws Error that names the port when it is taken
 */
export async function serveEngine(
  engine: EmbeddedAws,
  { port = 0, onProblem = (what) => void process.stderr.write(`${what}\n`) }: { port?: number; onProblem?: (what: string) => void } = {},
): Promise<LocalServer> {
  return startServer({
    port,
    callers: { hosts: [], origins: [] },
    answer: async (request, response) => {
      const target = String(request.headers['x-amz-target'] ?? '');
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      let answer;
      try {
        const body = await bodyOf(request, mostBodyBytes);
        if (body === undefined) throw new AwsError('SerializationException', `the body is larger than ${mostBodyBytes} bytes`);
        answer = answered(target, await engine.call(target, inputOf(body.toString('utf8')), gone.signal));
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        answer = refused(target, error);
      }
      response.writeHead(answer.status, answer.headers).end(answer.body);
    },
    refusalBody: ({ message }) => ({ message }),
    onProblem,
  });
}
