/**
 * What Lambda's runtime is to a function: loads its bundle, then takes one invocation after the other over the
 * IPC channel. Runs as the main module of every execution environment.
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import type { FromEnvironment, ToEnvironment } from './protocol.ts';

// The runtime decides when an environment ends; Ctrl-C in its terminal does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));

const [, , , compileCache] = process.argv;
if (compileCache) enableCompileCache(compileCache);

const send = (message: FromEnvironment): void => void process.send!(message);
const [file, exportName] = process.env['_HANDLER']!.split('.') as [string, string];

const startedAt = performance.now();
const bundle = (await import(pathToFileURL(join(process.env['LAMBDA_TASK_ROOT']!, `${file}.mjs`)).href)) as Record<string, unknown>;
const handler = bundle[exportName];
if (typeof handler !== 'function') throw new Error(`${file}.mjs exports no function ${exportName}`);

process.on('message', (message: ToEnvironment) => {
  void invoke(message);
});
send({ kind: 'ready', initMs: performance.now() - startedAt });
flushCompileCache();

async function invoke({ requestId, event, deadline, traceHeader, functionArn, variables }: ToEnvironment): Promise<void> {
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
    const result: unknown = await (handler as (event: unknown, context: unknown) => unknown)(JSON.parse(event), context);
    send({ kind: 'result', requestId, payload: JSON.stringify(result ?? null) });
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    send({ kind: 'error', requestId, errorType: name, errorMessage: message, trace: stack ?? '' });
  }
}
