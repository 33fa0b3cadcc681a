import { Agent, request } from 'node:http';
import { AwsError } from './aws-error.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** Calls an AWS service in its JSON protocol: the embedded engine, or an emulator that the user named. */
export type Caller = (
  /** Such as `AmazonSQS.ReceiveMessage`. */
  target: string,
  body: unknown,
  signal?: AbortSignal,
) => Promise<Record<string, unknown>>;

export const callerOf =
  (endpoint: string): Caller =>
  (target, body, signal) =>
    callService(endpoint, target, body, signal);

/**
 * One call in AWS's JSON protocol, without an SDK: the runtime makes thousands a second on a laptop's two cores,
 * and an SDK call costs half a millisecond of CPU. Emulators do not check signatures; the header only names who calls.
 *
 * @param target such as `AmazonSQS.ReceiveMessage`
 */
export function callService(endpoint: string, target: string, body: unknown, signal?: AbortSignal): Promise<Record<string, unknown>> {
  const payload = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      endpoint,
      {
        method: 'POST',
        agent,
        signal,
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': target,
          'content-length': Buffer.byteLength(payload),
          'x-amz-date': '20260101T000000Z',
          authorization: `AWS4-HMAC-SHA256 Credential=LOCALRUNTIME/20260101/us-east-1/${target.startsWith('AmazonSQS') ? 'sqs' : 'dynamodb'}/aws4_request, SignedHeaders=host, Signature=0`,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          let answer: Record<string, unknown>;
          try {
            answer = JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>;
          } catch {
            reject(new AwsError('UnreadableAnswer', `${target}: ${text.slice(0, 200)}`));
            return;
          }
          if (incoming.statusCode === 200) resolve(answer);
          else
            reject(
              new AwsError(
                String(answer['__type'] ?? 'Unknown').replace(/^.*#/, ''),
                `${target}: ${String(answer['message'] ?? answer['Message'] ?? text)}`,
                answer,
              ),
            );
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
