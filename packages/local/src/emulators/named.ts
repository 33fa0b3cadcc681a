import { StartProblem } from '../problem.ts';
import { AwsError } from '@outbox-saga/emulator/aws-error';
import { callService } from '@outbox-saga/emulator/call';

/** How long an emulator may take to answer its first call. */
const patienceMs = 5000;

/**
 * An endpoint that the user named instead of an emulator; undefined: none is named.
 *
 * @param variable of the environment
 * @param target a call that changes nothing, to see whether the service is there
 * @throws StartProblem that names the variable and says what is wrong with it; also with `fresh` where the endpoint is not on this machine
 */
export async function namedEndpoint(variable: string, target: string, fresh: boolean): Promise<string | undefined> {
  const endpoint = process.env[variable];
  if (!endpoint) return undefined;
  const wrong = (why: string): StartProblem => new StartProblem(`${variable}=${endpoint}: ${why}`);
  if (!URL.canParse(endpoint)) throw wrong('is not a URL');
  const { protocol, hostname } = new URL(endpoint);
  if (fresh && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)) throw wrong('--fresh: it deletes data only on this machine');
  if (protocol !== 'http:') throw wrong('must begin with http:// because the local runtime speaks no TLS to an emulator');
  try {
    await callService(endpoint, target, {}, AbortSignal.timeout(patienceMs));
  } catch (error) {
    throw wrong(whyNot(error as NodeJS.ErrnoException));
  }
  return endpoint;
}

function whyNot(error: NodeJS.ErrnoException): string {
  if (error instanceof AwsError) return `it answers, but not as the service does: ${error.message}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'the connection is refused. Is the emulator running?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'its host is not known';
    case 'ABORT_ERR':
      return `there is no answer within ${patienceMs / 1000} s`;
    default:
      return `it cannot be called: ${error.message || error.code}`;
  }
}
