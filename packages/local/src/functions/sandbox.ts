import { getCompileCacheDir } from 'node:module';
import type { LocalFunction } from './environment.ts';
import { compileCacheVariable, type FromEnvironment, type ToEnvironment } from './protocol.ts';

/** What runs a function's code and keeps it apart from all else. */
export interface Sandbox {
  /** Of its process; undefined where it has none of its own. */
  readonly pid: number | undefined;
  send(message: ToEnvironment): void;
  /** Lets nothing run between invocations, as Lambda does. Does nothing where that cannot be had. */
  freeze(): void;
  thaw(): void;
  kill(): void;
}

export interface SandboxEvents {
  readonly onMessage: (message: FromEnvironment) => void;
  /** A line that the function printed. */
  readonly onLine: (line: string) => void;
  /** @param why in Lambda's words. Told once; nothing comes after it */
  readonly onEnd: (why: string) => void;
}

export type StartSandbox = (fn: LocalFunction, events: SandboxEvents) => Sandbox;

export const outOfMemory = 'Runtime exited: out of memory (signal: killed)';

/** @param error the line that says what happened, where there is one */
export function exited(how: string, error = ''): string {
  return `Runtime exited with ${how}${error === '' ? '' : `: ${error.trim()}`}`;
}

/** Exactly what Lambda gives a function, with the AWS endpoints turned to the runtime's own. */
export function variablesOf(fn: LocalFunction, awsEndpoint: string): Record<string, string> {
  const outer = Object.entries(process.env).filter(([name]) => name.startsWith('AWS_ENDPOINT_URL_')) as [string, string][];
  return {
    [compileCacheVariable]: getCompileCacheDir() ?? '',
    PATH: process.env['PATH'] ?? '',
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    ...Object.fromEntries(outer),
    ...fn.variables,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: fn.identity,
    AWS_SECRET_ACCESS_KEY: fn.secret,
    AWS_ENDPOINT_URL_DYNAMODB: awsEndpoint,
    AWS_ENDPOINT_URL_SQS: awsEndpoint,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    LAMBDA_TASK_ROOT: fn.code,
    _HANDLER: fn.handler,
  };
}
