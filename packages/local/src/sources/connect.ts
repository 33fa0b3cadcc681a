import type { Checkpoints } from '../checkpoints.ts';
import type { Caller } from '@outbox-saga/emulator/call';
import type { FaultBoard } from '../faults.ts';
import type { Iam, Need } from '../iam.ts';
import type { FunctionPool } from '../functions/pool.ts';
import { StartProblem } from '../problem.ts';
import { resourcesOf, resolveValue, type ResourceValues, type Template } from '../template.ts';
import { QueueSource } from './queue-source.ts';
import { StreamSource } from './stream-source.ts';

export interface SourcesContext {
  readonly template: Template;
  readonly values: ReadonlyMap<string, ResourceValues>;
  /** Function's logical id → pool. */
  readonly pools: ReadonlyMap<string, FunctionPool>;
  readonly dynamoDb: Caller;
  readonly sqs: Caller;
  /** Tells of new records of streams; undefined where DynamoDB is behind an endpoint. */
  readonly onRecords: ((listener: () => void) => () => void) | undefined;
  /** Whether the queues go on when the runtime stops: behind an endpoint that the user named. */
  readonly queuesOutlive: boolean;
  readonly checkpoints: Checkpoints;
  readonly faults: FaultBoard;
  readonly iam: Iam;
  readonly onProblem: (what: string) => void;
}

interface MappingProperties {
  readonly FunctionName: string;
  readonly EventSourceArn: string;
  readonly BatchSize?: number;
  readonly MaximumBatchingWindowInSeconds?: number;
  readonly FunctionResponseTypes?: readonly string[];
  readonly ScalingConfig?: { readonly MaximumConcurrency: number };
  readonly FilterCriteria?: { readonly Filters: readonly { readonly Pattern: string }[] };
  readonly BisectBatchOnFunctionError?: boolean;
  readonly MaximumRetryAttempts?: number;
  readonly MaximumRecordAgeInSeconds?: number;
  readonly ParallelizationFactor?: number;
  readonly DestinationConfig?: { readonly OnFailure?: { readonly Destination: string } };
}

/** Starts every event source mapping and schedule of the template. @returns stops them */
export function connectSources(context: SourcesContext): () => Promise<void> {
  const { template, values, pools, sqs, faults } = context;
  faults.onWipe = async (name) => {
    for (const [id, raw] of resourcesOf(template, 'AWS::Lambda::EventSourceMapping')) {
      const { FunctionName, EventSourceArn: arn } = resolveValue(raw, template, values) as MappingProperties;
      if (pools.get(FunctionName)?.fn.name !== name || !arn.startsWith('arn:aws:sqs:')) continue;
      await sqs('AmazonSQS.PurgeQueue', { QueueUrl: queueUrlOf(values, arn, id) });
    }
  };
  const stops = [
    ...resourcesOf(context.template, 'AWS::Lambda::EventSourceMapping').map(([id, raw]) => connectMapping(context, id, raw)),
    ...resourcesOf(context.template, 'AWS::Events::Rule').map(([id, raw]) => connectSchedule(context, id, raw)),
  ];
  return async () => {
    await Promise.all(stops.map(async (stop) => stop()));
  };
}

type Stop = () => Promise<void> | void;

function connectMapping(context: SourcesContext, id: string, raw: Record<string, unknown>): Stop {
  const { template, values, pools, dynamoDb, sqs, queuesOutlive, checkpoints, faults, onProblem } = context;
  const mapping = resolveValue(raw, template, values) as MappingProperties;
  const pool = pools.get(mapping.FunctionName);
  if (!pool) throw new StartProblem(`event source ${id}: there is no function ${mapping.FunctionName}`);
  const reportBatchItemFailures = mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false;
  const arn = mapping.EventSourceArn;
  const refusal = context.iam.refusal(pool.fn.name, readsOf(arn, mapping.DestinationConfig?.OnFailure?.Destination));
  if (refusal !== undefined) throw new StartProblem(`event source ${id}: ${refusal}`);
  if (arn.startsWith('arn:aws:sqs:')) {
    const source = new QueueSource({
      call: sqs,
      queueUrl: queueUrlOf(values, arn, id),
      queueArn: arn,
      outlives: queuesOutlive,
      batchSize: mapping.BatchSize ?? 10,
      batchWindowSeconds: mapping.MaximumBatchingWindowInSeconds ?? 0,
      maximumConcurrency: mapping.ScalingConfig?.MaximumConcurrency ?? 1000,
      reportBatchItemFailures,
      pool,
      faults,
      onProblem,
    });
    return () => source.stop();
  }
  const [tableId] = [...values].find(([, value]) => value.attributes['StreamArn'] === arn) ?? [];
  if (tableId === undefined) throw new StartProblem(`event source ${id}: ${arn} is neither a queue nor a stream of this template`);
  const failures = mapping.DestinationConfig?.OnFailure?.Destination;
  const source = new StreamSource({
    call: dynamoDb,
    streamArn: arn,
    onRecords: context.onRecords,
    partitionKey: partitionKeyOf(template, tableId),
    batchSize: mapping.BatchSize ?? 100,
    parallelizationFactor: mapping.ParallelizationFactor ?? 1,
    filters: (mapping.FilterCriteria?.Filters ?? []).map(({ Pattern }) => JSON.parse(Pattern) as unknown),
    reportBatchItemFailures,
    bisectBatchOnError: mapping.BisectBatchOnFunctionError ?? false,
    retryAttempts: mapping.MaximumRetryAttempts ?? Number.POSITIVE_INFINITY,
    maxRecordAgeSeconds: mapping.MaximumRecordAgeInSeconds ?? Number.POSITIVE_INFINITY,
    onFailure: failures === undefined ? undefined : { call: sqs, queueUrl: queueUrlOf(values, failures, id) },
    pool,
    faults,
    position: checkpoints.get(arn),
    onPosition: (position) => checkpoints.set(arn, position),
    onProblem,
  });
  return () => source.stop();
}

/** The calls that an event source itself makes under the function's role; AWS refuses to create one that may not. */
function readsOf(arn: string, onFailure: string | undefined): Need[] {
  const of = (resource: string, ...actions: string[]): Need[] => actions.map((action) => ({ action, resource }));
  return arn.startsWith('arn:aws:sqs:')
    ? of(arn, 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes')
    : [
        ...of(arn, 'dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'),
        ...of(`${arn.slice(0, arn.indexOf('/stream/'))}/stream/*`, 'dynamodb:ListStreams'),
        ...(onFailure === undefined ? [] : of(onFailure, 'sqs:SendMessage')),
      ];
}

function queueUrlOf(values: ReadonlyMap<string, ResourceValues>, arn: string, id: string): string {
  const found = [...values.values()].find((value) => value.attributes['QueueName'] !== undefined && value.attributes['Arn'] === arn);
  if (!found) throw new StartProblem(`event source ${id}: there is no queue ${arn}`);
  return found.ref;
}

function partitionKeyOf(template: Template, tableId: string): string {
  const schema = template.Resources[tableId]?.Properties?.['KeySchema'] as { AttributeName: string; KeyType: string }[];
  return schema.find(({ KeyType }) => KeyType === 'HASH')!.AttributeName;
}

interface RuleProperties {
  readonly ScheduleExpression?: string;
  readonly Targets?: readonly { readonly Arn: string }[];
}

const unitMs: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

function connectSchedule(context: SourcesContext, id: string, raw: Record<string, unknown>): Stop {
  const { template, values, pools, onProblem } = context;
  const rule = resolveValue(raw, template, values) as RuleProperties;
  const [, amount, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(rule.ScheduleExpression ?? '') ?? [];
  if (amount === undefined || unit === undefined) {
    throw new StartProblem(`schedule ${id}: the local runtime knows rate(…), not ${rule.ScheduleExpression ?? 'event patterns'}`);
  }
  const targets = (rule.Targets ?? []).map(({ Arn }) => {
    const pool = [...pools.values()].find(({ fn }) => fn.arn === Arn);
    if (!pool) throw new StartProblem(`schedule ${id}: there is no function ${Arn}`);
    return { pool, permitted: isPermitted(template, values, pool.fn.logicalId, 'events.amazonaws.com') };
  });
  const timer = setInterval(
    () => {
      for (const { pool, permitted } of targets) {
        if (!permitted) {
          onProblem(`schedule ${id} may not invoke ${pool.fn.name}: the template grants no permission`);
          continue;
        }
        void pool.invoke(scheduledEvent(id)).then((result) => {
          if (!result.ok) onProblem(`${pool.fn.name} failed: ${result.errorType}: ${result.errorMessage}`);
        });
      }
    },
    Number(amount) * unitMs[unit]!,
  );
  return () => clearInterval(timer);
}

function scheduledEvent(id: string): unknown {
  const time = new Date().toISOString();
  return {
    version: '0',
    id,
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: '000000000000',
    time,
    region: 'us-east-1',
    resources: [],
    detail: {},
  };
}

/** Whether the template lets a service invoke a function. */
export function isPermitted(
  template: Template,
  values: ReadonlyMap<string, ResourceValues>,
  functionId: string,
  principal: string,
): boolean {
  const arn = values.get(functionId)?.attributes['Arn'];
  return resourcesOf(template, 'AWS::Lambda::Permission').some(([, raw]) => {
    if (raw['Principal'] !== principal) return false;
    const target = resolveValue(raw['FunctionName'], template, values);
    return target === arn || target === functionId;
  });
}
