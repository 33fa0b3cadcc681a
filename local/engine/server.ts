import { bodyOf, startServer, type LocalServer } from '../http-server.ts';
import { AwsError } from './aws-error.ts';
import type { EmbeddedAws } from './embedded.ts';
import { answered, inputOf, mostBodyBytes, refused } from './protocol.ts';

/** The engine alone, without the runtime's identities and policies, on a free port of loopback: for tests, and for whoever wants only DynamoDB and SQS. */
export async function serveEngine(engine: EmbeddedAws, onProblem: (what: string) => void): Promise<LocalServer> {
  return startServer({
    port: 0,
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
