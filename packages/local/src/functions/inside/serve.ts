/** What Lambda's runtime is to a function, whatever it runs in: loads its bundle, then takes one invocation after the other. */
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { compileCacheVariable, type FromEnvironment, type ToEnvironment } from '../protocol.ts';

export interface Channel {
  readonly send: (message: FromEnvironment) => void;
  readonly onInvocation: (take: (message: ToEnvironment) => void) => void;
}

/** @throws Error when the bundle does not load or has no such handler: the environment ends with it */
export async function serve({ send, onInvocation }: Channel): Promise<void> {
  delete process.env[compileCacheVariable];
  const [file, exportName] = process.env['_HANDLER']!.split('.') as [string, string];
  const startedAt = performance.now();
  const bundle = (await import(pathToFileURL(join(process.env['LAMBDA_TASK_ROOT']!, `${file}.mjs`)).href)) as Record<string, unknown>;
  const handler = bundle[exportName];
  if (typeof handler !== 'function') throw new Error(`${file}.mjs exports no function ${exportName}`);
  onInvocation((message) => void invoke(handler as Handler, message).then(send));
  send({ kind: 'ready', initMs: performance.now() - startedAt });
  flushCompileCache();
}

type Handler = (event: unknown, context: unknown) => unknown;

async function invoke(
  handler: Handler,
  { requestId, event, deadline, traceHeader, functionArn, variables }: ToEnvironment,
): Promise<FromEnvironment> {
  process.env['_X_AMZN_TRACE_ID'] = traceHeader;
  for (const [name, value] of Object.entries(variables)) {
    if (value === '') delete process.env[name];
    else process.env[name] = value;
  }
  const context = {
    awsRequestId: requestId,
    functionName: process.env['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: '$LATEST',
    memoryLimitInMB: process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    invokedFunctionArn: functionArn,
    logGroupName: process.env['AWS_LAMBDA_LOG_GROUP_NAME'],
    logStreamName: process.env['AWS_LAMBDA_LOG_STREAM_NAME'],
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  try {
    const result: unknown = await handler(JSON.parse(event), context);
    return { kind: 'result', requestId, payload: JSON.stringify(result ?? null) };
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { kind: 'error', requestId, errorType: name, errorMessage: message, trace: stack ?? '' };
  }
}
