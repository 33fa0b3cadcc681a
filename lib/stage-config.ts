import { RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Durations } from '@outbox-saga/kit/messages/durations';
import { stageNames, type StageName } from '../lambdas/contract/stage-names.ts';
import { durations } from '../lambdas/contract/stages.ts';

/** What differs from stage to stage. Everything else is the same everywhere. */
export interface StageConfig {
  readonly name: StageName;
  readonly durations: Durations;
  readonly logRetention: RetentionDays;
  /** Not WARN: metrics are log lines that count as INFO, so alarms and dashboard would be blind. */
  readonly logLevel: 'DEBUG' | 'INFO';
  /** What becomes of tables, queues and logs that leave the stack: by `cdk destroy`, or because their logical id changed. */
  readonly removalPolicy: RemovalPolicy;
  readonly deletionProtection: boolean;
  readonly pointInTimeRecovery: boolean;
  /** Upper bound of concurrent invocations per queue; undefined takes each consumer's own policy. */
  readonly maximumConcurrency: number | undefined;
  /** What the API takes: requests a second, and how many at once beyond that. The gateway answers 429 to the rest. */
  readonly throttle: { readonly ratePerSecond: number; readonly burst: number };
  /** Web origins whose pages may call the API, where `--context corsOrigins` names no others. */
  readonly corsOrigins: readonly string[];
  /** Whether alarms and their topic are created. The dashboard always is. */
  readonly alarms: boolean;
  /** Whether payment and shipping may run on the sandbox providers. */
  readonly sandboxAllowed: boolean;
}

/** All stages in one table. */
export const stages: Readonly<Record<StageName, StageConfig>> = {
  dev: {
    name: 'dev',
    durations: durations.dev,
    logRetention: RetentionDays.ONE_WEEK,
    logLevel: 'INFO',
    removalPolicy: RemovalPolicy.DESTROY,
    deletionProtection: false,
    pointInTimeRecovery: false,
    maximumConcurrency: 5,
    throttle: { ratePerSecond: 50, burst: 100 },
    // Vite's development server.
    corsOrigins: ['http://localhost:5173'],
    alarms: true,
    sandboxAllowed: true,
  },
  test: {
    name: 'test',
    durations: durations.test,
    logRetention: RetentionDays.ONE_DAY,
    logLevel: 'INFO',
    removalPolicy: RemovalPolicy.DESTROY,
    deletionProtection: false,
    pointInTimeRecovery: false,
    maximumConcurrency: 5,
    throttle: { ratePerSecond: 50, burst: 100 },
    corsOrigins: [],
    alarms: false,
    sandboxAllowed: true,
  },
  prod: {
    name: 'prod',
    durations: durations.prod,
    logRetention: RetentionDays.THREE_MONTHS,
    logLevel: 'INFO',
    removalPolicy: RemovalPolicy.RETAIN,
    deletionProtection: true,
    pointInTimeRecovery: true,
    maximumConcurrency: undefined,
    throttle: { ratePerSecond: 1000, burst: 2000 },
    corsOrigins: [],
    alarms: true,
    sandboxAllowed: false,
  },
};

/** @throws Error that names the known stages */
export function stageConfig(name: unknown): StageConfig {
  const stage = stageNames.find((known) => known === name);
  if (stage === undefined) throw new Error(`--context stage=${String(name)}: unknown stage; known are ${stageNames.join(', ')}`);
  return stages[stage];
}
