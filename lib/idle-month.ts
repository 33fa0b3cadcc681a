import type { StageName } from '../lambdas/contract/stage-names.ts';
import type { TemplateResources } from './access.ts';

/** Makes the table of docs/costs.md that says what a stage costs in a month without orders. Prices of us-east-1, in dollars. */

/** Of a metric, a month (aws.amazon.com/cloudwatch/pricing). */
const alarmedMetric = 0.1;
const customMetric = 0.3;
const dashboard = 3;
/** Of a million. */
const sqsRequests = 0.4;
/** Lambda polls a queue with five pollers, each of which waits up to 20 seconds for a message. */
const pollers = 5;
const receivesOfPoller = 30 * 24 * 60 * 3;

interface Line {
  readonly what: string;
  readonly arithmetic: string;
  readonly dollars: Readonly<Record<StageName, number>>;
}

const ofType = (resources: TemplateResources, type: string) => Object.values(resources).filter(({ Type }) => Type === type);

/** An alarm on an expression is billed for each metric in it. */
const metricsOf = ({ Properties }: TemplateResources[string]): number =>
  Properties.MetricName === undefined
    ? (Properties.Metrics as { readonly MetricStat?: object }[]).filter(({ MetricStat }) => MetricStat).length
    : 1;

const everywhere = (dollars: number): Line['dollars'] => ({ dev: dollars, test: dollars, prod: dollars });

/** The table, from the templates of all stages. */
export function idleMonth(templates: Readonly<Record<StageName, TemplateResources>>): string {
  const inEach = (dollarsOf: (resources: TemplateResources) => number): Line['dollars'] => ({
    dev: dollarsOf(templates.dev),
    test: dollarsOf(templates.test),
    prod: dollarsOf(templates.prod),
  });
  const metricsIn = (resources: TemplateResources): number =>
    ofType(resources, 'AWS::CloudWatch::Alarm').reduce((sum, alarm) => sum + metricsOf(alarm), 0);
  const queuesIn = (resources: TemplateResources): number =>
    ofType(resources, 'AWS::Lambda::EventSourceMapping').filter(({ Properties }) => Properties.StartingPosition === undefined).length;
  const alarms = ofType(templates.prod, 'AWS::CloudWatch::Alarm').length;
  const lines: Line[] = [
    {
      what: `alarms: ${alarms} alarms on ${metricsIn(templates.prod)} metrics`,
      arithmetic: '$0.10 a metric',
      dollars: inEach((resources) => metricsIn(resources) * alarmedMetric),
    },
    {
      what: 'dashboard',
      arithmetic: 'one',
      dollars: inEach((resources) => ofType(resources, 'AWS::CloudWatch::Dashboard').length * dashboard),
    },
    { what: 'custom metrics that are written without orders', arithmetic: '9 × $0.30', dollars: everywhere(9 * customMetric) },
    {
      what: 'SQS, about three receives a minute and poller',
      arithmetic: `${queuesIn(templates.prod)} queues × ${pollers} pollers × 129,600 × $0.40 / million`,
      dollars: inEach((resources) => (queuesIn(resources) * pollers * receivesOfPoller * sqsRequests) / 1e6),
    },
    { what: 'X-Ray, a trace a run of relay and sweep', arithmetic: '86,400 × $5.00 / million', dollars: everywhere((86_400 * 5) / 1e6) },
    {
      what: 'DynamoDB reads of relay and sweep',
      arithmetic: 'about 52 empty queries a minute × 0.5 × $0.125 / million',
      dollars: everywhere((52 * 43_200 * 0.5 * 0.125) / 1e6),
    },
    {
      what: 'Lambda and logs of the same',
      arithmetic: 'about 86,400 × (0.20 + 0.40 + 0.80) / million',
      dollars: everywhere((86_400 * (0.2 + 0.4 + 0.8)) / 1e6),
    },
    { what: 'the two providers’ secrets', arithmetic: '$0.40 each', dollars: { dev: 0, test: 0, prod: 0.8 } },
  ];
  const sumOf = (stage: StageName): number => lines.reduce((sum, { dollars }) => sum + cents(dollars[stage]), 0);
  const cell = (dollars: number): string => (dollars === 0 ? '' : dollars.toFixed(2));
  return [
    '| what | arithmetic | dev | test | prod |',
    '|---|---|---:|---:|---:|',
    ...lines.map(
      ({ what, arithmetic, dollars }) => `| ${[what, arithmetic, ...stages.map((stage) => cell(dollars[stage]))].join(' | ')} |`,
    ),
    `| **sum** | | ${stages.map((stage) => `**${sumOf(stage).toFixed(2)}**`).join(' | ')} |`,
  ].join('\n');
}

const stages = ['dev', 'test', 'prod'] as const satisfies readonly StageName[];

/** As it is printed, so that the printed lines add up. */
const cents = (dollars: number): number => Number(dollars.toFixed(2));
