import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Durations } from '@outbox-saga/kit/messages/durations';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import { coreMetrics } from '@outbox-saga/kit/telemetry/metrics';
import { defineTopology, type ConsumerPolicy } from '@outbox-saga/kit/messages/topology';
import { outboxTable } from '@outbox-saga/kit/tables';
import { usualDurations } from '@outbox-saga/kit/messages/durations';
import { Consumer, type ConsumerProps } from '../src/consumer.ts';
import { everyMinute } from '../src/every-minute.ts';
import { deadLetterQueue, messageQueue } from '../src/message-queue.ts';
import { addAlarms } from '../src/observability/alarm.ts';
import { consumerAlarms, functionAlarms } from '../src/observability/service-alarms.ts';
import { Outbox } from '../src/outbox.ts';
import { OwnedTable } from '../src/owned-table.ts';
import { ServiceApi } from '../src/service-api.ts';
import { ServiceFactory, type ServiceSettings } from '../src/service-factory.ts';
import { ServiceFunction } from '../src/service-function.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';

const folder = temporaryFolder();
const bundle = join(folder, 'bundle');
mkdirSync(bundle);
writeFileSync(join(bundle, 'index.mjs'), 'export const handler = () => {};\n');
afterAll(() => rmSync(folder, { recursive: true }));

const text = z.string().min(1);
const base = { STAGE: text };
const consuming = { ...base, QUEUE_URL: text, DEAD_LETTER_QUEUE_URL: text };
const publishing = { ...base, OUTBOX_TABLE: text, QUEUE_URLS: text };
const defined = <Environment extends z.ZodRawShape>(environment: Environment) =>
  ({
    entry: 'main.ts',
    memoryMb: 128,
    timeoutSeconds: (d: Durations) => d.apiTimeoutSeconds,
    environment: z.object(environment),
  }) satisfies FunctionDefinition;

/** A shop of books: another application than orders. */
const functions = {
  lend: defined({ ...base, BOOKS_TABLE: text }),
  shelf: defined({ ...consuming, BOOKS_TABLE: text }),
  reminder: defined(consuming),
  publisher: defined(publishing),
  relay: defined(publishing),
};
const tables = { books: { partitionKey: { name: 'isbn', type: 'S' } } } as const;
const policy: ConsumerPolicy = { role: 'actor', batchSize: 5, maximumConcurrency: 7, maxReceiveCount: 40, idempotent: false };
const topology = defineTopology({
  messages: { BookLent: { version: 1, data: z.object({}) } },
  consumers: { shelf: policy, reminder: policy },
  routes: { BookLent: { kind: 'event', consumers: ['shelf', 'reminder'] } },
});
const durations = usualDurations;
const settings: ServiceSettings = { stage: 'blue', metricNamespace: 'Library', durations };

const stackOf = (): Stack => new Stack(new App({ outdir: join(folder, 'out') }), 'Library');
const bundles = Object.fromEntries(Object.keys(functions).map((name) => [name, bundle])) as Record<keyof typeof functions, string>;

function library() {
  const stack = stackOf();
  const services = new ServiceFactory(stack, { contract: { functions, tables, topology }, bundles, settings });
  const books = services.table('books');
  const outbox = services.outbox({ indexPending: true });
  const own = { BOOKS_TABLE: books.tableName };
  const add = {
    lend: () => services.function('lend', own),
    shelf: () => services.consumer('shelf', own),
    reminder: () => services.consumer('reminder', {}),
    publish: () => services.publish(outbox, { publisher: services.part('publisher', {}), relay: services.part('relay', {}) }),
  };
  return { stack, services, outbox, books, add, synth: () => App.of(stack)!.synth() };
}

const consumerProps: ConsumerProps<typeof functions.reminder> = {
  stage: 'blue',
  metricNamespace: 'Library',
  name: 'reminder',
  definition: functions.reminder,
  bundle,
  timeoutSeconds: 10,
  environment: {},
  policy,
};
const functionProps = {
  stage: 'blue',
  metricNamespace: 'Library',
  name: 'lend',
  definition: functions.lend,
  bundle,
  timeoutSeconds: 10,
  environment: { BOOKS_TABLE: 'books' },
};

describe('an application', () => {
  it('is synthesized when everything is made that its contract names', () => {
    const { stack, services, add, synth } = library();
    for (const part of Object.values(add)) part();
    expect(synth).not.toThrow();
    expect(services.functions.map(({ serviceName }) => serviceName)).toEqual(['publisher', 'relay', 'lend', 'shelf', 'reminder']);
    expect(services.consumers.map(({ name }) => name)).toEqual(['shelf', 'reminder']);
    expect(Object.keys(Template.fromStack(stack).toJSON()['Outputs'] as object).toSorted()).toEqual(
      [
        'BooksTableName',
        'OutboxTableName',
        'ReminderDeadLetterQueueUrl',
        'ReminderQueueUrl',
        'ShelfDeadLetterQueueUrl',
        'ShelfQueueUrl',
      ].toSorted(),
    );
  });

  it('is refused without a function that its contract names, by the function’s name', () => {
    const { add, synth } = library();
    add.shelf();
    add.reminder();
    add.publish();
    expect(synth).toThrow(/function lend: the contract names it, and no service makes it/);
  });

  it('is refused without a consumer that messages are routed to, by the consumer’s name', () => {
    const { add, synth } = library();
    add.lend();
    add.shelf();
    expect(add.publish).toThrow(/consumer reminder: messages are routed to it, and there is no Consumer of this name/);
    expect(synth).toThrow(/function reminder: [^]*function publisher: [^]*function relay: /);
  });

  it('is refused with a consumer that nothing is routed to', () => {
    const { stack, add } = library();
    add.shelf();
    add.reminder();
    new Consumer(stack, 'Stray', { ...consumerProps, name: 'stray' });
    expect(add.publish).toThrow(/consumer stray: it is not in the topology/);
  });

  it('is told when it asks for what is not there yet', () => {
    const { services, outbox, add } = library();
    expect(() => services.made('lend')).toThrow(/function lend: Library has not made it yet/);
    expect(() => outbox.publisher).toThrow(/Library\/Outbox: nothing publishes its rows yet: call publishTo/);
    expect(() => outbox.relay).toThrow(/call publishTo/);
    expect(services.made(add.lend().serviceName as 'lend').serviceName).toBe('lend');
  });
});

describe('a function', () => {
  it('is refused when another one has its name', () => {
    const stack = stackOf();
    new ServiceFunction(stack, 'First', functionProps);
    expect(() => new ServiceFunction(stack, 'Second', functionProps)).toThrow(/function lend: Library\/First has this name already/);
    new Consumer(stack, 'A', consumerProps);
    expect(() => new Consumer(stack, 'B', consumerProps)).toThrow(/function reminder: Library\/A\/Function has this name already/);
  });

  it('is refused with an environment that is not what its schema asks for, by the variables’ names', () => {
    const wrong = { ...functionProps, environment: { BOOK_TABLE: 'books' } as never };
    expect(() => new ServiceFunction(stackOf(), 'Lend', wrong)).toThrow(
      /function lend: BOOKS_TABLE is missing from `environment`, and its schema reads it; BOOK_TABLE is not in its schema/,
    );
  });

  it('is refused every minute when it may run for longer', () => {
    const stack = stackOf();
    const target = new ServiceFunction(stack, 'Lend', { ...functionProps, timeoutSeconds: 60 });
    expect(() => everyMinute(stack, 'EveryMinute', target)).toThrow(/function lend: timeoutSeconds \(60\) must be less than 60/);
  });

  it('keeps its logs a month, retained, traces, and knows its stage and namespace, unless it is told otherwise', () => {
    const stack = stackOf();
    const target = new ServiceFunction(stack, 'Lend', functionProps);
    const template = Template.fromStack(stack);
    template.hasResource('AWS::Logs::LogGroup', { Properties: { RetentionInDays: 30 }, DeletionPolicy: 'Retain' });
    template.hasResourceProperties('AWS::Lambda::Function', {
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { ApplicationLogLevel: 'INFO' },
      Environment: { Variables: { STAGE: 'blue', POWERTOOLS_METRICS_NAMESPACE: 'Library', BOOKS_TABLE: 'books' } },
    });
    expect(target.metricEmitted(coreMetrics.handled)).toMatchObject({
      namespace: 'Library',
      metricName: 'MessagesHandled',
      statistic: 'Sum',
      dimensions: { service: 'lend', stage: 'blue' },
    });
  });
});

describe('a queue', () => {
  it.each([
    [{ visibilityTimeoutSeconds: 9 }, /consumer reminder: visibilityTimeoutSeconds \(9\) must be at least timeoutSeconds \(10\)/],
    [{ visibilityTimeoutSeconds: 43_201 }, /Queue: visibilityTimeoutSeconds \(43201\) must be at most 43200/],
    [{ queueRetentionSeconds: 60 }, /Queue: visibilityTimeoutSeconds \(60\) must be less than queueRetentionSeconds \(60\)/],
    [
      { queueRetentionSeconds: 7200, deadLetterRetentionSeconds: 7200 },
      /Queue: queueRetentionSeconds \(7200\) must be less than deadLetterRetentionSeconds \(7200\)/,
    ],
    [{ deadLetterRetentionSeconds: 1_209_601 }, /QueueDeadLetters: deadLetterRetentionSeconds \(1209601\) must be at most 1209600/],
  ])('is refused with %j', (given, why) => {
    expect(() => new Consumer(stackOf(), 'Reminder', { ...consumerProps, ...given })).toThrow(why);
  });

  it('hides a message for six times its consumer’s time limit and its window, and keeps it four days, unless it is told otherwise', () => {
    const stack = stackOf();
    new Consumer(stack, 'Reminder', { ...consumerProps, batchWindowSeconds: 5 });
    const template = Template.fromStack(stack);
    template.hasResource('AWS::SQS::Queue', {
      Properties: { VisibilityTimeout: 65, MessageRetentionPeriod: 345_600, RedrivePolicy: { maxReceiveCount: 40 } },
      DeletionPolicy: 'Retain',
    });
    template.hasResourceProperties('AWS::SQS::Queue', { MessageRetentionPeriod: 1_209_600 });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 5,
      MaximumBatchingWindowInSeconds: 5,
      ScalingConfig: { MaximumConcurrency: 7 },
    });
  });

  it('goes with the stack where that is asked for', () => {
    const stack = stackOf();
    messageQueue(stack, 'Own', { visibilityTimeoutSeconds: 60, maxReceiveCount: 30, removalPolicy: RemovalPolicy.DESTROY });
    deadLetterQueue(stack, 'Letters', { removalPolicy: RemovalPolicy.DESTROY });
    for (const { DeletionPolicy } of Object.values(Template.fromStack(stack).findResources('AWS::SQS::Queue')))
      expect(DeletionPolicy).toBe('Delete');
  });
});

describe('a table', () => {
  it('is retained, protected and recoverable, unless it is told otherwise', () => {
    const stack = stackOf();
    new OwnedTable(stack, 'Kept', { definition: tables.books });
    new OwnedTable(stack, 'Gone', { definition: tables.books, removalPolicy: RemovalPolicy.DESTROY, pointInTimeRecovery: false });
    const template = Template.fromStack(stack);
    const properties = (kept: boolean) => ({
      DeletionPolicy: kept ? 'Retain' : 'Delete',
      Properties: {
        DeletionProtectionEnabled: kept,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: kept },
      },
    });
    template.hasResource('AWS::DynamoDB::Table', properties(true));
    template.hasResource('AWS::DynamoDB::Table', properties(false));
  });

  it('says which index it lacks', () => {
    const books = new OwnedTable(stackOf(), 'Books', { definition: tables.books });
    expect(() => books.indexArn('open')).toThrow(/Library\/Books: its definition has no index open: add it to `indexes`/);
  });

  it('of an outbox is refused without a stream, or without the index of rows that need the relay', () => {
    const outboxOn = (definition: (typeof OwnedTable.prototype)['definition']) => {
      const stack = stackOf();
      const table = new OwnedTable(stack, 'Rows', { definition });
      return new Outbox(stack, 'Other', { ...settings, table });
    };
    const { stream: _, ...streamless } = outboxTable;
    expect(() => outboxOn(streamless)).toThrow(/Library\/Other: its table Library\/Rows has no stream: set `stream: true`/);
    const { indexes: __, ...unindexed } = outboxTable;
    expect(() => outboxOn(unindexed)).toThrow(/Library\/Rows: its definition has no index attention/);
    expect(outboxOn(outboxTable).table.node.id).toBe('Rows');
  });
});

describe('an API', () => {
  it('takes a thousand requests a second, and no other origin’s pages, unless it is told otherwise', () => {
    const stack = stackOf();
    const target = new ServiceFunction(stack, 'Lend', functionProps);
    new ServiceApi(stack, 'Http', { routes: { 'POST /loans': { function: target, access: { scope: 'lend' }, throttleShare: 0.25 } } });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 },
      RouteSettings: { 'POST /loans': { ThrottlingRateLimit: 250, ThrottlingBurstLimit: 500 } },
    });
    const [{ Properties }] = Object.values(template.findResources('AWS::ApiGatewayV2::Api')) as [{ Properties: object }];
    expect(Properties).not.toHaveProperty('CorsConfiguration');
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  });

  it('refuses a route that is none', () => {
    const stack = stackOf();
    const target = new ServiceFunction(stack, 'Lend', functionProps);
    expect(() => new ServiceApi(stack, 'Http', { routes: { '/loans': { function: target, access: 'operator' } } })).toThrow(
      /route \/loans: must be "METHOD \/path" or "\$default"/,
    );
  });
});

describe('alarms', () => {
  it('are the application’s: its thresholds, its runbook, its names', () => {
    const stack = stackOf();
    const consumer = new Consumer(stack, 'Reminder', consumerProps);
    addAlarms(stack, {
      alarms: [...consumerAlarms(consumer, { backlog: 7, ageSeconds: 8, criticalTimeSeconds: 9 }), ...functionAlarms(consumer.function)],
      runbook: 'https://wiki.example/library',
    });
    const alarms = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm')).map(
      ({ Properties }) => Properties as { AlarmDescription: string; Threshold: number },
    );
    const thresholdOf = (article: string) =>
      alarms.find(({ AlarmDescription }) => AlarmDescription.endsWith(`https://wiki.example/library#${article}`))?.Threshold;
    expect(alarms).toHaveLength(7);
    expect([thresholdOf('backlog'), thresholdOf('age'), thresholdOf('critical-time')]).toEqual([7, 8, 9000]);
  });
});
