import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functions } from '../../lambdas/contract/functions.ts';
import { accessContexts, accessDocument } from '../../lib/access.ts';
import { projectRoot } from '../../lib/project.ts';
import { logicalId, templates, type Resources } from '../support/templates.ts';

const { synthesize } = templates();
const { sandbox, real } = { sandbox: accessContexts.sandbox, real: accessContexts.real };
const synthesized = { sandbox: synthesize(sandbox.stage, sandbox), real: synthesize(real.stage, real) };
const committed = readFileSync(join(projectRoot, 'docs/access.md'), 'utf8');

/** The template with one more statement in a function's policy. */
function withStatement(resources: Resources, name: string, statement: object): Resources {
  const role = logicalId(Object.values(resources).find(({ Properties }) => Properties?.Description === name)!.Properties.Role);
  return Object.fromEntries(
    Object.entries(resources).map(([id, resource]) => {
      if (resource.Type !== 'AWS::IAM::Policy' || logicalId(resource.Properties.Roles) !== role) return [id, resource];
      const Statement = [...resource.Properties.PolicyDocument.Statement, statement];
      return [id, { ...resource, Properties: { ...resource.Properties, PolicyDocument: { Statement } } }];
    }),
  );
}
const tableNamed = (name: string): object => {
  const [id] = Object.entries(synthesized.sandbox).find(([key, { Type }]) => Type === 'AWS::DynamoDB::Table' && key.startsWith(name))!;
  return { 'Fn::GetAtt': [id, 'Arn'] };
};
const documentWith = (name: string, statement: object): string =>
  accessDocument({
    sandbox: withStatement(synthesized.sandbox, name, statement),
    real: withStatement(synthesized.real, name, statement),
  });
const lineOf = (document: string, start: string): string => document.split('\n').find((line) => line.startsWith(`| ${start} |`))!;

describe('docs/access.md', () => {
  it('is what the templates say: npm run access writes it', () => {
    expect(committed).toBe(accessDocument(synthesized));
  });

  it('says of every function what invokes it', () => {
    for (const name of Object.keys(functions)) expect(lineOf(committed, name)).toMatch(/\| [\w`].+ \|$/);
  });

  it('has every action on a table or queue that a policy allows', () => {
    const actions = Object.values(synthesized.sandbox)
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[])
      .flatMap(({ Action, Resource }) => [Resource].flat().flatMap(() => [Action].flat()))
      .filter((action) => /^(dynamodb|sqs):/.test(action));
    const [, tables, queues] = committed.split(/^## /m);
    const listed = [...`${tables}${queues}`.matchAll(/[:,] ([A-Z][A-Za-z]+)(?: \([^)]*\))?(?: ¹)?(?=[,;|]| \|)/g)].map(
      ([, action]) => action!,
    );
    // Real providers and e-mail add this one on a table.
    expect(listed.toSorted()).toEqual(actions.map((action) => action.split(':')[1]!).toSorted());
  });

  it('shows a grant that is new, at its function and table', () => {
    const stray = documentWith('health', { Effect: 'Allow', Action: 'dynamodb:DeleteItem', Resource: tableNamed('OrdersTable') });
    expect(stray).not.toBe(committed);
    expect(lineOf(stray, 'Orders')).toContain('health: DeleteItem;');
    expect(lineOf(committed, 'Orders')).not.toContain('health');
  });

  it('shows what is neither a table nor a queue, and logs that are not the function’s own', () => {
    const mail = documentWith('health', { Effect: 'Allow', Action: 'ses:SendEmail', Resource: '*' });
    expect(mail).toContain('| health | ses:SendEmail | `*` |');
    const logs = Object.keys(synthesized.sandbox).find((id) => id.startsWith('PlaceOrderLogs'))!;
    const foreign = documentWith('health', { Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: { 'Fn::GetAtt': [logs, 'Arn'] } });
    expect(foreign).toContain('| health | logs:PutLogEvents | `PlaceOrderLogs` |');
  });

  it('is refused where it has no words for a statement', () => {
    expect(() => documentWith('health', { Effect: 'Deny', Action: 'dynamodb:*', Resource: '*' })).toThrow(
      /health has a statement that denies/,
    );
    expect(() => documentWith('health', { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: { 'Fn::ImportValue': 'q' } })).toThrow(
      /no words for the resource/,
    );
  });
});
