import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { topology } from '../../lambdas/contract/routes.ts';
import { durations } from '../../lambdas/contract/stages.ts';
import type { Queues } from '@outbox-saga/kit/aws/clients';
import { newRow, type OutboxRow } from '@outbox-saga/kit/outbox/row';
import { saveRow, type OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import { relayDueRows } from '@outbox-saga/kit/outbox/relay';
import { aMessage, orderKeys, testTelemetry, testWorld } from '../support/builders.ts';
import { startTables, type TestTables } from '../support/tables.ts';

let tables: TestTables;
beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.stop());

const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
/** An option of a command of the AWS CLI, as the runbook has it. */
function optionOf(command: string, option: string): string {
  const text = new RegExp(`aws dynamodb ${command} [^\`]*`).exec(runbook)?.[0].replaceAll('\\\n', ' ') ?? '';
  const value = new RegExp(`--${option} '(.+?)'(?= +--|\\s*$|\\n)`).exec(text)?.[1];
  if (value === undefined) throw new Error(`the runbook has no aws dynamodb ${command} --${option}`);
  return value;
}
const valuesOf = (text: string) => unmarshall(JSON.parse(text) as Parameters<typeof unmarshall>[0]);

it('the runbook’s commands find a dead row and give it back to the relay, which sends it', async () => {
  const world = testWorld();
  const outbox: OutboxContext = {
    database: tables.database,
    table: 'outbox',
    relay: durations.prod.relay,
    telemetry: testTelemetry(),
    world,
  };
  const message: Envelope = aMessage('StockReleaseRequested', orderKeys, { messageId: world.newId(), sequence: 1 });
  const row = newRow(message, { source: 'test', outboxExpirySeconds: 3600, world });
  const key = { aggregateId: row.aggregateId, messageId: row.messageId };
  const stored = async (): Promise<OutboxRow> => (await tables.get('outbox', key)) as unknown as OutboxRow;
  await tables.put('outbox', { ...row });
  await saveRow(outbox, row, { type: 'GivenUp', error: 'refused too often', at: world.now() });

  const dead = [];
  for (const shard of [0, 1, 2, 3]) {
    const { Items = [] } = await tables.database.send(
      new QueryCommand({
        TableName: 'outbox',
        IndexName: 'attention',
        KeyConditionExpression: optionOf('query', 'key-condition-expression'),
        ExpressionAttributeValues: valuesOf(optionOf('query', 'expression-attribute-values').replace("'$shard'", String(shard))),
      }),
    );
    dead.push(...Items);
  }
  expect(dead).toMatchObject([key]);

  const giveBack = new UpdateCommand({
    TableName: 'outbox',
    Key: key,
    UpdateExpression: optionOf('update-item', 'update-expression'),
    ConditionExpression: optionOf('update-item', 'condition-expression'),
    ExpressionAttributeNames: JSON.parse(optionOf('update-item', 'expression-attribute-names')) as Record<string, string>,
    ExpressionAttributeValues: valuesOf(optionOf('update-item', 'expression-attribute-values')),
  });
  await tables.database.send(giveBack);
  const sent: string[] = [];
  const queues = {
    send: (command: { input: { QueueUrl: string; Entries: { MessageBody: string }[] } }) => {
      for (const { MessageBody } of command.input.Entries) sent.push(`${command.input.QueueUrl} ${MessageBody}`);
      return Promise.resolve({});
    },
  } as unknown as Queues;
  const queueUrls = Object.fromEntries(Object.keys(topology.consumers).map((name) => [name, name]));
  await relayDueRows(outbox, { topology, queues, queueUrls, holdSeconds: durations.prod.retry.windowSeconds }, 'relay', () => true);
  const body = encodeEnvelope(message);
  expect(sent.toSorted()).toEqual([`inventory ${body}`, `order-view ${body}`]);
  expect(await stored()).toMatchObject({ status: 'SENT' });
  // A second time it refuses: nobody sends a row again by mistake.
  await expect(tables.database.send(giveBack)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
});
