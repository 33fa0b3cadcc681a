import { describe, expect, it } from 'vitest';
import { evaluate, Iam, needsOf, statementsOf, type Statement } from '@outbox-saga/local/iam';
import type { ResourceValues } from '@outbox-saga/local/template';

const allow = (actions: string | string[], resources: string | string[]): Statement => ({
  effect: 'Allow',
  actions: [actions].flat(),
  resources: [resources].flat(),
});
const table = 'arn:aws:dynamodb:us-east-1:000000000000:table/orders';

describe('the policy evaluator', () => {
  it.each<[Statement[], string, string, string]>([
    [[allow('dynamodb:PutItem', table)], 'dynamodb:PutItem', table, 'allowed'],
    [[allow('dynamodb:PutItem', table)], 'dynamodb:GetItem', table, 'not allowed'],
    [[allow('dynamodb:PutItem', table)], 'dynamodb:PutItem', `${table}2`, 'not allowed'],
    [[allow('DynamoDB:putitem', table)], 'dynamodb:PutItem', table, 'allowed'],
    [[allow('dynamodb:*', '*')], 'dynamodb:PutItem', table, 'allowed'],
    [[allow('dynamodb:P?tItem', `${table}*`)], 'dynamodb:PutItem', `${table}2`, 'allowed'],
    [[allow('dynamodb:Query', table)], 'dynamodb:Query', `${table}/index/open`, 'not allowed'],
    [[allow('dynamodb:Query', `${table}/index/open`)], 'dynamodb:Query', table, 'not allowed'],
    [[allow('dynamodb:*', '*'), { ...allow('dynamodb:Scan', table), effect: 'Deny' }], 'dynamodb:Scan', table, 'denied explicitly'],
    [[{ ...allow('dynamodb:Scan', table), effect: 'Deny' }, allow('dynamodb:*', '*')], 'dynamodb:PutItem', table, 'allowed'],
    [[], 'dynamodb:PutItem', table, 'not allowed'],
    // A pattern is no regular expression.
    [[allow('dynamodb:PutItem', 'arn:aws:dynamodb:us-east-1:000000000000:table.orders')], 'dynamodb:PutItem', table, 'not allowed'],
  ])('%j: %s on %s is %s', (statements, action, resource, verdict) => {
    expect(evaluate(statements, { action, resource })).toBe(verdict);
  });

  it('reads documents, and takes every call for one over TLS', () => {
    expect(statementsOf('here', { Statement: { Effect: 'Allow', Action: 'a:B', Resource: ['x', 'y'] } })).toEqual([
      allow('a:B', ['x', 'y']),
    ]);
    const tlsOnly = {
      Effect: 'Deny',
      Action: 'sqs:*',
      Resource: '*',
      Principal: { AWS: '*' },
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    };
    expect(statementsOf('here', { Statement: [tlsOnly] })).toEqual([]);
  });

  it.each([
    [{ NotAction: 'a:B', Resource: '*', Effect: 'Allow' }, /queue policy Q, statement 1: the local runtime does not know NotAction/],
    [{ Action: 'a:B', NotResource: '*', Effect: 'Allow' }, /does not know NotResource/],
    [{ Action: 'a:B', Resource: '*', Effect: 'Maybe' }, /the effect Maybe/],
    [{ Action: 'a:B', Effect: 'Allow' }, /without Action or Resource/],
    [{ Action: 'a:B', Resource: '*', Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::1:root' } }, /the principal/],
    [
      { Action: 'a:B', Resource: '*', Effect: 'Allow', Condition: { StringEquals: { 'aws:PrincipalTag/x': '1' } } },
      /StringEquals aws:PrincipalTag/,
    ],
    [{ Action: 'a:B', Resource: '*', Effect: 'Allow', Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } }, /Bool aws:Multi/],
  ])('stops at %j, which it does not understand', (statement, why) => {
    expect(() => statementsOf('queue policy Q', { Statement: [statement] })).toThrow(why);
  });
});

describe('what a call needs', () => {
  const arn = (name: string) => `arn:aws:dynamodb:us-east-1:000000000000:table/${name}`;
  const queue = 'arn:aws:sqs:us-east-1:000000000000:q';
  it.each<['dynamodb' | 'sqs', string, Record<string, unknown>, [string, string][]]>([
    ['dynamodb', 'GetItem', { TableName: 't' }, [['dynamodb:GetItem', arn('t')]]],
    ['dynamodb', 'GetItem', { TableName: arn('t') }, [['dynamodb:GetItem', arn('t')]]],
    ['dynamodb', 'Query', { TableName: 't', IndexName: 'open' }, [['dynamodb:Query', `${arn('t')}/index/open`]]],
    [
      'dynamodb',
      'TransactWriteItems',
      {
        TransactItems: [
          { Put: { TableName: 'a' } },
          { Update: { TableName: 'b' } },
          { Delete: { TableName: 'c' } },
          { ConditionCheck: { TableName: 'd' } },
        ],
      },
      [
        ['dynamodb:PutItem', arn('a')],
        ['dynamodb:UpdateItem', arn('b')],
        ['dynamodb:DeleteItem', arn('c')],
        ['dynamodb:ConditionCheckItem', arn('d')],
      ],
    ],
    ['dynamodb', 'TransactGetItems', { TransactItems: [{ Get: { TableName: 'a' } }] }, [['dynamodb:GetItem', arn('a')]]],
    [
      'dynamodb',
      'BatchWriteItem',
      { RequestItems: { a: [], b: [] } },
      [
        ['dynamodb:BatchWriteItem', arn('a')],
        ['dynamodb:BatchWriteItem', arn('b')],
      ],
    ],
    ['sqs', 'SendMessageBatch', { QueueUrl: 'http://127.0.0.1:1/000000000000/q' }, [['sqs:SendMessage', queue]]],
    ['sqs', 'DeleteMessageBatch', { QueueUrl: 'http://elsewhere/q' }, [['sqs:DeleteMessage', queue]]],
    ['sqs', 'GetQueueUrl', { QueueName: 'q' }, [['sqs:GetQueueUrl', queue]]],
  ])('%s %s %j', (service, operation, body, needs) => {
    expect(needsOf(service, operation, body)).toEqual(needs.map(([action, resource]) => ({ action, resource })));
  });
});

describe('a template’s policies', () => {
  const template = (statement: object, role: object = {}) => ({
    Resources: {
      Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: {}, ...role } },
      Policy: { Type: 'AWS::IAM::Policy', Properties: { PolicyDocument: { Statement: [statement] }, Roles: [{ Ref: 'Role' }] } },
      Fn: { Type: 'AWS::Lambda::Function', Properties: { Role: { 'Fn::GetAtt': ['Role', 'Arn'] } } },
    },
  });
  const values = new Map<string, ResourceValues>([['Table', { ref: 't', attributes: { Arn: table } }]]);
  const names = new Map([['Fn', 'inventory']]);
  const grant = { Effect: 'Allow', Action: ['dynamodb:GetItem', 'dynamodb:PutItem'], Resource: { 'Fn::GetAtt': ['Table', 'Arn'] } };

  it('refuse in the words of AWS, whole calls only, and remember what was used', () => {
    const iam = new Iam(template(grant), values, names);
    const read = { action: 'dynamodb:GetItem', resource: table };
    expect(iam.refusal('inventory', [read])).toBeUndefined();
    const denied =
      'User: arn:aws:sts::000000000000:assumed-role/Role/inventory is not authorized to perform: dynamodb:DeleteItem on resource: ' +
      `${table} because no identity-based policy allows the dynamodb:DeleteItem action`;
    expect(
      iam.refusal('inventory', [
        { ...read, action: 'dynamodb:PutItem' },
        { ...read, action: 'dynamodb:DeleteItem' },
      ]),
    ).toBe(denied);
    expect(iam.denials).toEqual([denied]);
    expect(iam.grants().map(({ action, used }) => [action, used])).toEqual([
      ['dynamodb:GetItem', true],
      // A call that was refused used nothing.
      ['dynamodb:PutItem', false],
    ]);
    // Nor did one that another one makes superfluous.
    const twice = new Iam(template({ ...grant, Action: ['dynamodb:GetItem', 'dynamodb:Get*'] }), values, names);
    expect(twice.refusal('inventory', [read])).toBeUndefined();
    expect(twice.grants().map(({ used }) => used)).toEqual([false, false]);
    expect(iam.refusal('nobody', [read])).toBe('no role is known for nobody');
  });

  it('fail the start when they hold something unknown', () => {
    expect(() => new Iam(template({ ...grant, NotPrincipal: '*' }), values, names)).toThrow(/policy Policy, statement 1: .*NotPrincipal/);
    expect(() => new Iam(template(grant, { ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'] }), values, names)).toThrow(
      /role Role: the local runtime does not know ManagedPolicyArns/,
    );
    expect(() => new Iam(template(grant, { PermissionsBoundary: 'x' }), values, names)).toThrow(/PermissionsBoundary/);
  });
});
