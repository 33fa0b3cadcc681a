import { describe, expect, it } from 'vitest';
import { logReader } from '../../local/console.ts';
import { dynamoDbBinary } from '../../local/emulators/dynamodb.ts';
import { matchRoute, type GatewayRoute } from '../../local/gateway/routes.ts';
import { MetricCollector } from '../../local/metrics.ts';
import { parseOptions } from '../../local/options.ts';
import { matches } from '../../local/sources/filter.ts';
import { checkTypes, resolveValue, type ResourceValues } from '../../local/template.ts';

describe('options', () => {
  it('have defaults', () => {
    expect(parseOptions([], {})).toMatchObject({ port: 3000, stage: 'dev', fresh: false, verbose: false, watch: false });
    expect(parseOptions(['--help'], {})).toBe('help');
  });
  it.each([
    [['--nope'], {}, /--nope/],
    [['--stage', 'prod'], {}, /takes real money/],
    [['--stage', 'x'], {}, /must be one of dev, test, prod/],
    [[], { PORT: 'abc' }, /PORT=abc/],
    [[], { PORT: '70000' }, /PORT=70000/],
  ])('%j with %j are refused by name', (args, environment, why) => {
    expect(() => parseOptions(args, environment)).toThrow(why);
  });
});

describe('the template', () => {
  const template = { Resources: {}, Parameters: { P: { Default: 'parameter' } } };
  const values = new Map<string, ResourceValues>([['Queue', { ref: 'http://q', attributes: { Arn: 'arn:q' } }]]);
  it.each([
    [{ Ref: 'Queue' }, 'http://q'],
    [{ Ref: 'P' }, 'parameter'],
    [{ 'Fn::GetAtt': ['Queue', 'Arn'] }, 'arn:q'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }]] }, 'a-us-east-1'],
    [{ 'Fn::Sub': 'x${Queue.Arn}y${AWS::AccountId}' }, 'xarn:qy000000000000'],
    [{ 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b'] }] }, 'b'],
    [{ a: [{ Ref: 'Queue' }] }, { a: ['http://q'] }],
  ])('resolves %j', (value, expected) => {
    expect(resolveValue(value, template, values)).toEqual(expected);
  });
  it('stops at what it does not know, by name', () => {
    expect(() => resolveValue({ Ref: 'Nobody' }, template, values)).toThrow(/refers to Nobody/);
    expect(() => resolveValue({ 'Fn::GetAtt': 'Queue.Color' }, template, values)).toThrow(/Queue.Color/);
    expect(() => resolveValue({ 'Fn::Cidr': [] }, template, values)).toThrow(/Fn::Cidr/);
    expect(() => checkTypes({ Resources: { Bucket: { Type: 'AWS::S3::Bucket' } } })).toThrow(/Bucket: AWS::S3::Bucket/);
  });
});

describe('event filters', () => {
  it.each([
    [{ eventName: ['INSERT'] }, true],
    [{ eventName: ['MODIFY', 'INSERT'] }, true],
    [{ eventName: ['REMOVE'] }, false],
    [{ eventName: [{ prefix: 'INS' }] }, true],
    [{ dynamodb: { Keys: { id: { S: ['1'] } } } }, true],
    [{ dynamodb: { Keys: { id: { S: ['2'] } } } }, false],
    [{ gone: [{ exists: false }] }, true],
    [{ eventName: [{ 'anything-but': ['INSERT'] }] }, false],
  ])('%j', (pattern, expected) => {
    expect(matches(pattern, { eventName: 'INSERT', dynamodb: { Keys: { id: { S: '1' } } } })).toBe(expected);
  });
  it('refuse operators that they do not know', () => {
    expect(() => matches({ a: [{ numeric: ['>', 1] }] }, { a: 2 })).toThrow(/numeric/);
  });
});

describe('routes', () => {
  const routes = ['GET /orders', 'GET /orders/{id}', 'GET /orders/special', 'POST /orders', '$default'].map((key) => ({
    key,
  })) as unknown as GatewayRoute[];
  const find = (method: string, path: string): unknown => {
    const match = matchRoute(routes, method, path);
    return match === 'malformed' || match === undefined ? match : [match.route.key, match.params];
  };
  it('prefer the most specific path, and fall back to $default', () => {
    expect(find('GET', '/orders')).toEqual(['GET /orders', {}]);
    expect(find('GET', '/orders/a%20b')).toEqual(['GET /orders/{id}', { id: 'a b' }]);
    expect(find('GET', '/orders/special')).toEqual(['GET /orders/special', {}]);
    expect(find('DELETE', '/orders')).toEqual(['$default', {}]);
    expect(find('GET', '/orders/')).toEqual(['$default', {}]);
    expect(find('GET', '/orders/%zz')).toBe('malformed');
  });
});

describe('metrics and log lines', () => {
  const emf = (value: number | number[]) =>
    JSON.stringify({
      _aws: { CloudWatchMetrics: [{ Namespace: 'N', Dimensions: [['service']], Metrics: [{ Name: 'Lag', Unit: 'Milliseconds' }] }] },
      service: 'publisher',
      Lag: value,
    });
  it('collects the embedded metric format and prints order transitions and warnings only', () => {
    const metrics = new MetricCollector();
    const printed: string[] = [];
    const read = logReader((line) => printed.push(line), metrics, false);
    read('f', emf([10, 20]));
    read('f', emf(30));
    read('f', JSON.stringify({ level: 'INFO', message: 'message', outcome: 'handled' }));
    read('f', JSON.stringify({ level: 'WARN', message: 'message', outcome: 'retry', delaySeconds: 2, type: 'T', error: 'why' }));
    read(
      'f',
      JSON.stringify({ level: 'INFO', message: 'order transition', aggregateId: 'ord_ABCDEFGHIJ', from: 'A', to: 'B', version: 2 }),
    );
    expect(metrics.report()).toMatchObject([
      { name: 'Lag', unit: 'Milliseconds', dimensions: { service: 'publisher' }, count: 3, sum: 60, min: 10, max: 30, last: 30, p50: 20 },
    ]);
    expect(printed.map((line) => line.slice(10))).toEqual(['f: T retry in 2 s (why)', 'order ABCDEFGH  A → B  v2']);
  });
});

describe('the DynamoDB binary', () => {
  it('says the one line that installs it where it is missing', () => {
    expect(() => dynamoDbBinary('darwin', 'arm64')).toThrow('npm i --no-save @dynoxide/darwin-arm64@1.2.1');
  });
});
