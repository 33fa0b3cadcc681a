import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { functions } from '../../lambdas/contract/functions.ts';
import { metricNamespace, metrics } from '../../lambdas/contract/metrics.ts';
import { failureCodes } from '../../lambdas/contract/order.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { StageName } from '../../lambdas/contract/stage-names.ts';
import { idleMonth } from '../../lib/idle-month.ts';
import { logicalId, templates, type Resource } from '../support/templates.ts';

const { resourcesOf, ofType, functionNamed } = templates();
const watched = ['dev', 'prod'] as const satisfies StageName[];
const consumers = Object.keys(topology.consumers);

beforeAll(() => watched.forEach(resourcesOf));

interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
}
interface Stat {
  readonly Metric: {
    readonly Namespace: string;
    readonly MetricName: string;
    readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
  };
  readonly Period: number;
}
const seriesOf = ({ Namespace, MetricName, Dimensions = [] }: Stat['Metric']): Series => ({
  namespace: Namespace,
  name: MetricName,
  dimensions: Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value])),
});

/** What an alarm looks at: one metric, or those of its expression. Each is billed. */
function seriesOfAlarm({ Properties }: Resource): Series[] {
  if (Properties.MetricName !== undefined) return [seriesOf(Properties)];
  return (Properties.Metrics as { MetricStat?: Stat }[]).flatMap(({ MetricStat }) => (MetricStat ? [seriesOf(MetricStat.Metric)] : []));
}

interface Widget {
  readonly properties: { readonly title?: string; readonly metrics?: readonly (readonly unknown[])[] };
}

/** The dashboard's body, with what the template refers to left as a placeholder. */
function widgetsOf(stage: StageName): Widget[] {
  const [[, { Properties }]] = ofType('AWS::CloudWatch::Dashboard', stage) as [[string, Resource]];
  const [, parts] = Properties.DashboardBody['Fn::Join'] as [string, unknown[]];
  return (JSON.parse(parts.map((part) => (typeof part === 'string' ? part : 'X')).join('')) as { widgets: Widget[] }).widgets;
}

const seriesOfWidgets = (stage: StageName): Series[] =>
  widgetsOf(stage).flatMap(({ properties: { metrics: lines = [] } }) =>
    lines.map((line) => {
      const [namespace, name, ...rest] = line.filter((part) => typeof part === 'string');
      return {
        namespace: namespace!,
        name: name!,
        dimensions: Object.fromEntries(rest.flatMap((key, i) => (i % 2 === 0 ? [[key, rest[i + 1]]] : []))),
      };
    }),
  );

const ours = (stage: StageName): Series[] =>
  [...ofType('AWS::CloudWatch::Alarm', stage).flatMap(([, alarm]) => seriesOfAlarm(alarm)), ...seriesOfWidgets(stage)].filter(
    ({ namespace }) => namespace === metricNamespace,
  );

const alarm = (name: string, stage: StageName = 'dev'): Resource => {
  const found = ofType('AWS::CloudWatch::Alarm', stage).find(([id]) => new RegExp(`^${name}Alarm[0-9A-F]{8}$`).test(id));
  if (!found) throw new Error(`there is no alarm ${name}`);
  return found[1];
};

/** `order-saga` → `OrderSaga`. */
const pascal = (name: string): string => name.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());

describe('every alarm', () => {
  it.each(watched)('of %s reaches its topic: the topic’s policy lets CloudWatch of this account publish', (stage) => {
    const alarms = ofType('AWS::CloudWatch::Alarm', stage);
    expect(alarms.length).toBeGreaterThan(50);
    for (const [id, { Properties }] of alarms) {
      expect({ id, actions: Properties.AlarmActions?.length }).toEqual({ id, actions: 1 });
      for (const action of [...Properties.AlarmActions, ...(Properties.OKActions ?? [])]) {
        const topic = logicalId(action);
        expect({ id, type: resourcesOf(stage)[topic]!.Type }).toEqual({ id, type: 'AWS::SNS::Topic' });
        // A policy of the topic's own replaces the one that lets everything in the account publish.
        const allowed = ofType('AWS::SNS::TopicPolicy', stage)
          .filter((policy) => policy[1].Properties.Topics.some((target: unknown) => logicalId(target) === topic))
          .flatMap((policy) => policy[1].Properties.PolicyDocument.Statement)
          .filter(({ Effect, Resource: target }) => Effect === 'Allow' && logicalId(target) === topic)
          .map(({ Action, Principal, Condition }) => ({ Action, Principal, Condition }));
        expect({ id, allowed }).toEqual({
          id,
          allowed: [
            {
              Action: 'sns:Publish',
              Principal: { Service: 'cloudwatch.amazonaws.com' },
              Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
            },
          ],
        });
      }
    }
  });

  it('reaches somebody, where an address is given', () => {
    const [[, { Properties }]] = ofType('AWS::SNS::Subscription', 'prod') as [[string, Resource]];
    expect(Properties).toMatchObject({ Protocol: 'email', Endpoint: 'ops@example.com' });
    expect(logicalId(Properties.TopicArn)).toBe(logicalId(alarm('Api5xx', 'prod').Properties.AlarmActions));
  });

  it('names a runbook article that exists', () => {
    const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
    for (const [id, { Properties }] of ofType('AWS::CloudWatch::Alarm')) {
      const article = /docs\/runbook\.md#([\w-]+)$/.exec(Properties.AlarmDescription)?.[1];
      expect({ id, found: runbook.includes(`\n## ${article}\n`) }).toEqual({ id, found: true });
    }
  });

  it('is there for every consumer, function and the outbox, and not on the stage that tests wear out', () => {
    for (const name of consumers) {
      for (const what of ['Backlog', 'Age', 'CriticalTime', 'DeadLetters', 'DeadLettered'])
        expect(alarm(`${pascal(name)}${what}`)).toBeDefined();
    }
    expect(ofType('AWS::CloudWatch::Alarm').length).toBe(consumers.length * 5 + Object.keys(functions).length * 2 + 19);
    expect(ofType('AWS::CloudWatch::Alarm', 'test')).toHaveLength(0);
  });
});

describe('metrics of ours', () => {
  it.each(watched)('are asked for on %s by stage and service, as they are emitted', (stage) => {
    const known = new Set(Object.values(metrics).map(({ name }) => name as string));
    expect(ours(stage).length).toBeGreaterThan(30);
    for (const { name, dimensions } of ours(stage)) {
      expect(known).toContain(name);
      const { service, stage: named, code, ...others } = dimensions;
      expect({ name, named, service: Object.hasOwn(functions, String(service)), others }).toEqual({
        name,
        named: stage,
        service: true,
        others: {},
      });
      if (code !== undefined) expect(failureCodes).toContain(code);
    }
    expect(new Set(ours(stage).flatMap(({ dimensions: { code = [] } }) => code))).toEqual(new Set(failureCodes));
  });

  it('are nobody else’s: two stages in one account share none', () => {
    const keys = (stage: StageName): string[] => ours(stage).map((series) => JSON.stringify(series));
    const prod = new Set(keys('prod'));
    expect(keys('dev').filter((key) => prod.has(key))).toEqual([]);
  });
});

describe('a queue that is down', () => {
  it('is told by the age of what it lacks: the stream goes on, and its rows are never overdue', () => {
    expect(alarm('UnsentRows').Properties).toMatchObject({
      Namespace: 'OrderSaga',
      MetricName: 'OldestUnsentAge',
      Statistic: 'Maximum',
      Threshold: 900,
      Dimensions: expect.arrayContaining([{ Name: 'service', Value: 'outbox-relay' }]) as unknown,
      AlarmDescription: expect.stringContaining('unsent-rows') as string,
    });
  });
});

describe('an idle month in docs/costs.md', () => {
  const costs = readFileSync(join(import.meta.dirname, '../../docs/costs.md'), 'utf8');
  const lines = idleMonth({ dev: resourcesOf('dev'), test: resourcesOf('test'), prod: resourcesOf('prod') }).split('\n');

  it('is what the templates have: npm run access writes it', () => {
    expect(costs).toContain(lines.join('\n'));
  });

  it.each(['dev', 'test', 'prod'] as const)('bills %s for each metric of an alarm, and adds up as it is printed', (stage) => {
    const column = { dev: 3, test: 4, prod: 5 }[stage];
    const rows = lines.slice(2);
    const dollarsIn = (row: string): number => Number(row.split('|')[column]!.replaceAll('*', ''));
    const dollarsOf = (what: string): number => {
      const found = rows.filter((row) => row.startsWith(`| ${what}`));
      expect({ what, rows: found.length }).toEqual({ what, rows: 1 });
      return dollarsIn(found[0]!);
    };
    const alarms = ofType('AWS::CloudWatch::Alarm', stage);
    const billed = alarms.flatMap(([, each]) => seriesOfAlarm(each)).length;
    if (stage === 'dev') expect(rows[0]).toContain(`| alarms: ${alarms.length} alarms on ${billed} metrics |`);
    expect(dollarsOf('alarms')).toBeCloseTo(billed * 0.1);
    expect(dollarsOf('dashboard')).toBeCloseTo(ofType('AWS::CloudWatch::Dashboard', stage).length * 3);
    expect(dollarsOf('SQS')).toBeCloseTo(consumers.length * 5 * 129_600 * 0.4e-6, 1);
    const parts = rows.filter((row) => !row.startsWith('| **sum**')).map(dollarsIn);
    expect(dollarsOf('**sum**')).toBeCloseTo(parts.reduce((sum, each) => sum + each, 0));
  });
});

describe('silence', () => {
  it.each([
    ['RelaySilent', 'outbox-relay'],
    ['SweepSilent', 'order-sweep'],
  ])('%s fires when %s was not invoked for five minutes, or CloudWatch heard nothing of it', (name, target) => {
    const { Properties } = alarm(name);
    expect(Properties).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Invocations',
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 5,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
    expect(logicalId(Properties.Dimensions[0].Value)).toBe(functionNamed(target)[0]);
  });

  it('of anything else is good news', () => {
    const others = ofType('AWS::CloudWatch::Alarm').filter(([id]) => !/^(Relay|Sweep)Silent/.test(id));
    for (const [id, { Properties }] of others) {
      expect({ id, missing: Properties.TreatMissingData }).toEqual({ id, missing: 'notBreaching' });
    }
  });
});

describe('what was given up', () => {
  it.each<[name: string, metric: string, service: string | undefined, lasting: string]>([
    ...consumers.map((name): [string, string, string, string] => [
      `${pascal(name)}DeadLettered`,
      metrics.deadLetters.name,
      name,
      `${pascal(name)}DeadLetters`,
    ]),
    ['PublisherGaveUpRows', metrics.rowsDead.name, 'outbox-publisher', 'DeadRows'],
    ['RelayGaveUpRows', metrics.rowsDead.name, 'outbox-relay', 'DeadRows'],
    ['StreamGaveUp', 'NumberOfMessagesSent', undefined, 'StreamFailures'],
  ])('%s tells that there is more of it, though the other alarm is still on', (name, metric, service, lasting) => {
    const { Properties } = alarm(name);
    expect(Properties).toMatchObject({
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    });
    const [series, ...others] = seriesOfAlarm(alarm(name));
    expect(others).toEqual([]);
    expect([series!.name, series!.dimensions['service']]).toEqual([metric, service]);
    // It ends by itself, with the letter still there: that must not be told as good news.
    expect(Properties.OKActions).toBeUndefined();
    expect(alarm(lasting).Properties.OKActions).toHaveLength(1);
  });

  it('is all that ends without being mended', () => {
    const silent = ofType('AWS::CloudWatch::Alarm').filter(([, { Properties }]) => Properties.OKActions === undefined);
    expect(silent).toHaveLength(consumers.length + 3);
  });
});

describe('failed orders', () => {
  /** What the alarm makes of one period; a metric without data is left out. */
  function fires(name: string, counts: Readonly<Record<string, number>>): boolean {
    const { Metrics, Threshold, ComparisonOperator } = alarm(name).Properties;
    expect(ComparisonOperator).toBe('GreaterThanOrEqualToThreshold');
    const entries = Metrics as { Id: string; Expression?: string; MetricStat?: Stat; ReturnData?: boolean }[];
    const missing = Symbol('no data');
    const values = Object.fromEntries(
      entries.flatMap(({ Id, MetricStat }) => (MetricStat ? [[Id, counts[MetricStat.Metric.MetricName] ?? missing]] : [])),
    );
    const { Expression } = entries.find(({ ReturnData }) => ReturnData !== false)!;
    const result: unknown = runInNewContext(Expression!, {
      ...values,
      FILL: (value: unknown, otherwise: number) => (value === missing ? otherwise : value),
      IF: (condition: boolean, yes: number, no: number) => (condition ? yes : no),
    });
    expect(result).toEqual(expect.any(Number));
    return (result as number) >= Threshold;
  }
  const periods = (name: string): number[] => [
    ...new Set((alarm(name).Properties.Metrics as { MetricStat?: Stat }[]).flatMap(({ MetricStat }) => MetricStat?.Period ?? [])),
  ];

  it('are told within ten minutes where many are placed', () => {
    expect(periods('FailedOrders')).toEqual([60]);
    expect(alarm('FailedOrders').Properties.EvaluationPeriods).toBe(10);
    expect(fires('FailedOrders', { OrdersFailed: 20 })).toBe(true);
    expect(fires('FailedOrders', { OrdersFailed: 10, OrdersConfirmed: 10 })).toBe(true);
    expect(fires('FailedOrders', { OrdersFailed: 9, OrdersConfirmed: 11 })).toBe(false);
    expect(fires('FailedOrders', { OrdersFailed: 19 })).toBe(false);
    expect(fires('FailedOrders', {})).toBe(false);
  });

  it('are told within the hour where few are, and one or two are not', () => {
    expect(periods('FailedOrdersInAnHour')).toEqual([3600]);
    expect(alarm('FailedOrdersInAnHour').Properties.EvaluationPeriods).toBe(1);
    expect(fires('FailedOrdersInAnHour', { OrdersFailed: 3 })).toBe(true);
    expect(fires('FailedOrdersInAnHour', { OrdersFailed: 3, OrdersConfirmed: 3 })).toBe(true);
    expect(fires('FailedOrdersInAnHour', { OrdersFailed: 3, OrdersConfirmed: 4 })).toBe(false);
    expect(fires('FailedOrdersInAnHour', { OrdersFailed: 2 })).toBe(false);
    expect(fires('FailedOrdersInAnHour', { OrdersConfirmed: 5 })).toBe(false);
    expect(fires('FailedOrdersInAnHour', {})).toBe(false);
  });
});

describe('the dashboard', () => {
  it('is valid JSON and shows every queue', () => {
    const titles = widgetsOf('dev').map(({ properties }) => properties.title ?? '');
    for (const name of consumers) expect(titles.filter((title) => title.startsWith(`${name}:`))).toHaveLength(3);
  });
});
