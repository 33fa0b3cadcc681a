import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { spawnRuntime, type StartedRuntime } from '@outbox-saga/local/spawn';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { changedShapes, type RecordedShapes } from '@outbox-saga/testing/message-shapes';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { topology } from '../contract.ts';
import shapes from './shapes.json' with { type: 'json' };

describe('a running system', () => {
  let runtime: StartedRuntime;
  let outputs: Record<string, string>;
  let database: DynamoDBDocumentClient;

  beforeAll(async () => {
    const root = `${import.meta.dirname}/..`;
    runtime = await spawnRuntime({ root, program: 'local-app.ts', dataDir: temporaryFolder(), args: ['--stage', 'test'] }).ready;
    const resources = (await (await fetch(`${runtime.url}/_local/resources`)).json()) as { endpoint: string; outputs: typeof outputs };
    outputs = resources.outputs;
    const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
    database = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: resources.endpoint, region: 'us-east-1', credentials }));
  }, 120_000);
  afterAll(() => runtime?.remove());

  const login = (body: unknown) =>
    fetch(`${runtime.url}/logins`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const audited = async (userId: string) =>
    ((await database.send(new ScanCommand({ TableName: outputs['AuditLogTableName'], ConsistentRead: true }))).Items ?? []).filter(
      (item) => item['userId'] === userId,
    );
  const row = async (aggregateId: string, messageId: string) =>
    (await database.send(new GetCommand({ TableName: outputs['OutboxTableName'], Key: { aggregateId, messageId }, ConsistentRead: true })))
      .Item;
  const eventually = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 60_000, interval: 100 });
  /** The row that a person would put into the table: what the message says, and nothing else. */
  const putByHand = (envelope: Envelope) => {
    const { aggregateId, messageId, occurredAt } = envelope;
    const Item = { aggregateId, messageId, body: encodeEnvelope(envelope), status: 'PENDING', source: 'by hand', committedAt: occurredAt };
    return database.send(new PutCommand({ TableName: outputs['OutboxTableName'], Item }));
  };
  const envelopeFor = (userId: string, messageId: string, type = 'PasswordUserLoggedIn'): Envelope => ({
    messageId,
    type,
    version: 1,
    kind: 'event',
    aggregateId: userId,
    groupId: userId,
    correlationId: 'by-hand',
    causationId: 'by-hand',
    occurredAt: Date.now(),
    data: { userId, loggedInAt: 1 },
  });

  it('writes the user’s record and the message in one transaction, and audits the login once', async () => {
    const answer = await login({ userId: 'ada' });
    expect(answer.status).toBe(202);
    const { messageId } = (await answer.json()) as { messageId: string };
    const { Item } = await database.send(new GetCommand({ TableName: outputs['UsersTableName'], Key: { userId: 'ada' } }));
    expect(Item).toMatchObject({ userId: 'ada', loggedInAt: expect.any(Number) as number });
    await eventually(async () => expect(await audited('ada')).toMatchObject([{ messageId, type: 'PasswordUserLoggedIn' }]));
    await eventually(async () => expect(await row('ada', messageId)).toMatchObject({ status: 'SENT' }));
  });

  it('audits every login', async () => {
    for (let i = 0; i < 3; i++) expect((await login({ userId: 'grace' })).status).toBe(202);
    await eventually(async () => expect(await audited('grace')).toHaveLength(3));
  });

  it('refuses what is no user, and commits nothing', async () => {
    expect(await (await login({ userId: 'no user' })).json()).toMatchObject({ status: 400, errors: [{ field: 'userId' }] });
  });

  it('delivers a row that was put into the table by hand, once although it comes twice', async () => {
    const envelope = envelopeFor('lin', '01KAJ0C5P4Z7QZ8N2V4R6T8W0Y');
    await putByHand(envelope);
    await eventually(async () => expect(await audited('lin')).toHaveLength(1));
    const again = envelopeFor('lin', '01KAJ0C5P4Z7QZ8N2V4R6T8W0Z');
    await database.send(
      new PutCommand({
        TableName: outputs['OutboxTableName'],
        // Another row with the same message.
        Item: {
          ...again,
          messageId: again.messageId,
          body: encodeEnvelope(envelope),
          status: 'PENDING',
          source: 'by hand',
          committedAt: 1,
        },
      }),
    );
    await eventually(async () => expect(await row('lin', again.messageId)).toMatchObject({ status: 'SENT' }));
    await putByHand(envelopeFor('last', '01KAJ0C5P4Z7QZ8N2V4R6T8W10'));
    await eventually(async () => expect(await audited('last')).toHaveLength(1));
    expect(await audited('lin')).toHaveLength(1);
  });

  it('gives a row of an unknown type up after the retry window, with its reason', async () => {
    const envelope = envelopeFor('vera', '01KAJ0C5P4Z7QZ8N2V4R6T8W11', 'PasswordUserVanished');
    await putByHand(envelope);
    const relay = () => fetch(`${runtime.url}/_local/functions/outbox-relay`, { method: 'POST' });
    await eventually(async () => expect(await row('vera', envelope.messageId)).toMatchObject({ status: 'FAILED' }));
    await eventually(async () => {
      await relay();
      expect(await row('vera', envelope.messageId)).toMatchObject({
        status: 'DEAD',
        lastError: expect.stringContaining('unknown message type "PasswordUserVanished"') as string,
      });
    });
  });
});

describe('the payloads', () => {
  it('are those that were recorded', () => {
    expect(changedShapes(topology, shapes as RecordedShapes)).toEqual([]);
  });

  it('do not change without a new version', () => {
    const data = topology.messages.PasswordUserLoggedIn.data.extend({ device: z.string() });
    const changed = { ...topology, messages: { PasswordUserLoggedIn: { version: 1, data } } };
    expect(changedShapes(changed, shapes as RecordedShapes)).toEqual([
      expect.stringContaining('PasswordUserLoggedIn v1: its payload is not what'),
    ]);
  });
});
