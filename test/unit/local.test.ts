import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logReader } from '@outbox-saga/local/console';
import { openDataDir } from '@outbox-saga/local/data-dir';
import { authorizersOf, type Authorities } from '@outbox-saga/local/gateway/authorizers';
import { corsHeaders, corsOf } from '@outbox-saga/local/gateway/cors';
import { matchRoute, type GatewayRoute } from '@outbox-saga/local/gateway/routes';
import { Identities } from '@outbox-saga/local/identities';
import { MetricCollector } from '@outbox-saga/local/metrics';
import { app } from '../../lib/local-app.ts';
import { parseOptions } from '@outbox-saga/local/options';
import { matches } from '@outbox-saga/local/sources/filter';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { checkTypes, resolveValue, type ResourceValues } from '@outbox-saga/local/template';

describe('a data directory', () => {
  it('of a release with other emulators is refused with the way out, and nothing in it is touched', () => {
    const dataDir = temporaryFolder();
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    mkdirSync(join(dataDir, 'dynamodb'));
    writeFileSync(join(dataDir, 'dynamodb/tables.sqlite'), 'orders');
    expect(() => openDataDir(dataDir, false)).toThrow(/is of release 0\.3\.0 or before, .*\(dynamodb\).*--fresh[^]*--data-dir <folder>/);
    expect(readdirSync(dataDir)).toEqual(['dynamodb']);
    expect(readFileSync(join(dataDir, 'dynamodb/tables.sqlite'), 'utf8')).toBe('orders');
    const giveBack = openDataDir(dataDir, true);
    expect(readdirSync(dataDir)).toEqual(['runtime.pid']);
    giveBack();
    openDataDir(dataDir, false)();
  });
});

describe('options', () => {
  it('have defaults', () => {
    expect(parseOptions(app, [], {})).toMatchObject({
      port: 3000,
      stage: 'dev',
      fresh: false,
      verbose: false,
      watch: false,
      auth: 'off',
      isolation: 'thread',
      allowHosts: [],
    });
    expect(parseOptions(app, ['--help'], {})).toBe('help');
    expect(parseOptions(app, ['--isolation', 'process'], {})).toMatchObject({ isolation: 'process' });
    expect(parseOptions(app, ['--auth'], {})).toMatchObject({ auth: 'jwt' });
    expect(parseOptions(app, ['--auth=iam'], {})).toMatchObject({ auth: 'iam' });
    expect(parseOptions(app, ['--allow-host', 'Host.docker.internal', '--allow-host=shop'], {})).toMatchObject({
      allowHosts: ['host.docker.internal', 'shop'],
    });
  });
  it.each([
    [['--nope'], {}, /--nope/],
    [['--stage', 'prod'], {}, /takes real money/],
    [['--stage', 'x'], {}, /must be one of dev, test, prod/],
    [['--isolation', 'vm'], {}, /--isolation vm: must be thread or process/],
    [['--auth=basic'], {}, /--auth=basic: must be jwt or iam/],
    [['--allow-host', 'http://x'], {}, /--allow-host http:\/\/x: must be a name/],
    [['--allow-host', 'x:3000'], {}, /--allow-host x:3000: must be a name/],
    [['--allow-host', '*'], {}, /--allow-host \*: must be a name/],
    [[], { PORT: 'abc' }, /PORT=abc/],
    [[], { PORT: '70000' }, /PORT=70000/],
  ])('%j with %j are refused by name', (args, environment, why) => {
    expect(() => parseOptions(app, args, environment)).toThrow(why);
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

describe('authorizers', () => {
  const authorizer = {
    AuthorizerType: 'JWT',
    IdentitySource: ['$request.header.Authorization'],
    JwtConfiguration: { Issuer: 'https://i', Audience: ['a'] },
  };
  const template = (route: object, properties: object = authorizer) => ({
    Resources: {
      Authorizer: { Type: 'AWS::ApiGatewayV2::Authorizer', Properties: { ...properties } },
      Route: { Type: 'AWS::ApiGatewayV2::Route', Properties: { RouteKey: 'GET /x', ...route } },
    },
  });
  const read = (...args: Parameters<typeof template>) => authorizersOf(template(...args), new Map(), {} as Authorities);

  it('are those of the template', async () => {
    const open = read({ AuthorizationType: 'NONE' }).get('Route')!;
    expect(await open({} as never, () => Promise.resolve(Buffer.of()))).toEqual({ context: undefined });
    expect([...read({ AuthorizationType: 'JWT', AuthorizerId: { Ref: 'Authorizer' } }).keys()]).toEqual(['Route']);
  });

  it.each([
    [{}, authorizer, /route GET \/x: the local runtime does not know its authorization undefined/],
    [{ AuthorizationType: 'CUSTOM', AuthorizerId: { Ref: 'Authorizer' } }, authorizer, /authorization CUSTOM/],
    [{ AuthorizationType: 'JWT', AuthorizerId: { Ref: 'Nobody' } }, authorizer, /authorization JWT/],
    [{ AuthorizationType: 'NONE' }, { ...authorizer, AuthorizerType: 'REQUEST' }, /authorizer Authorizer: the local runtime knows JWT/],
    [{ AuthorizationType: 'NONE' }, { ...authorizer, IdentitySource: ['$request.querystring.token'] }, /authorizer Authorizer/],
  ])('stop the start when they are not understood: %j %j', (route, properties, why) => {
    expect(() => read(route, properties)).toThrow(why);
  });
});

describe('identities', () => {
  it('that cannot be read stop the start, and say how to begin again', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'identities.json'), '{"operator":');
    try {
      expect(() => new Identities(folder)).toThrow(/identities.json cannot be read. Start from nothing with: npm start -- --fresh/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('cross-origin answers', () => {
  const cors = { AllowOrigins: ['https://shop.example'], AllowMethods: ['GET'], AllowHeaders: ['x'], ExposeHeaders: ['etag'], MaxAge: 60 };
  const ask = (method: string, headers: Record<string, string>) => corsHeaders(cors, { method, headers } as never);
  it('tell a page of a known origin what it may, and others nothing', () => {
    expect(ask('GET', { origin: 'https://shop.example' })).toEqual({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-expose-headers': 'etag',
      vary: 'origin',
    });
    expect(ask('OPTIONS', { origin: 'https://shop.example', 'access-control-request-method': 'GET' })).toMatchObject({
      'access-control-allow-methods': 'GET',
      'access-control-max-age': '60',
    });
    for (const origin of ['https://shop.example.evil', 'http://shop.example', 'null']) expect(ask('GET', { origin })).toEqual({});
    expect(ask('GET', {})).toEqual({});
    expect(corsHeaders({}, { method: 'GET', headers: { origin: 'https://shop.example' } } as never)).toEqual({});
  });
});

describe('the API’s cross-origin configuration', () => {
  const api = (CorsConfiguration?: object) => ({
    Resources: { Api: { Type: 'AWS::ApiGatewayV2::Api', Properties: CorsConfiguration ? { CorsConfiguration } : {} } },
  });
  it('is taken as it is, or stops the start', () => {
    expect(corsOf(api())).toEqual({});
    expect(corsOf(api({ AllowOrigins: ['https://a.example'], MaxAge: 1 }))).toEqual({ AllowOrigins: ['https://a.example'], MaxAge: 1 });
    expect(() => corsOf(api({ AllowOrigins: ['https://a.example'], AllowCredentials: true }))).toThrow(/API Api: .*not AllowCredentials/);
    expect(() => corsOf(api({ AllowOrigins: ['*'] }))).toThrow(/no wildcard origins/);
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
  const routes = [
    'GET /orders',
    'GET /orders/{id}',
    'GET /orders/special',
    'POST /orders',
    'OPTIONS /{proxy+}',
    'OPTIONS /orders',
    '$default',
  ].map((key) => ({
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
    expect(find('OPTIONS', '/orders/a/b')).toEqual(['OPTIONS /{proxy+}', { proxy: 'orders/a/b' }]);
    expect(find('OPTIONS', '/orders')).toEqual(['OPTIONS /orders', {}]);
    expect(find('OPTIONS', '/')).toEqual(['$default', {}]);
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
    const read = logReader(app, (line) => printed.push(line), metrics, false);
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
