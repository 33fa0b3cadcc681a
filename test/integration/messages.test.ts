import { createServer, type Server } from 'node:http';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import { topology } from '../../lambdas/contract/routes.ts';
import { openShardOf } from '../../lambdas/contract/tables.ts';
import { newRow } from '@outbox-saga/kit/outbox/row';
import { systemWorld } from '@outbox-saga/kit/function/world';
import { aMessage, anOrder, orderKeys } from '../support/builders.ts';
import { runningSystem } from '../support/running-system.ts';
import { startRuntime, type StartedRuntime } from '../support/runtime.ts';
import { eventually, itemsOf, localSystem, settled, unique } from '../support/system.ts';

const system = runningSystem();

const now = (): Partial<Envelope> => ({ messageId: systemWorld.newId(), occurredAt: Date.now() });

async function writeRow(message: Envelope): Promise<{ aggregateId: string; messageId: string }> {
  const row = newRow(message, { source: 'by hand', outboxExpirySeconds: 3600, world: systemWorld });
  await system.database.send(new PutCommand({ TableName: system.outputs['OutboxTableName'], Item: { ...row } }));
  return row;
}
const rowOf = async ({ messageId }: { messageId: string }) =>
  (await itemsOf<{ messageId: string; status: string; lastError?: string }>(system, 'OutboxTableName')).find(
    (row) => row.messageId === messageId,
  );

// These three side by side: most of them wait for a whole retry window.
describe.concurrent('a row written by hand', () => {
  it('is delivered when its type is registered', async () => {
    const sku = unique('sku');
    await system.api.setStock(sku, 3);
    const { orderId } = anOrder({ customerId: unique('c') });
    const row = await writeRow(
      aMessage(
        'OrderPlaced',
        { ...orderKeys, currency: 'JPY', total: 1, items: [{ sku, qty: 2 }] },
        { ...now(), aggregateId: orderId, sequence: 1 },
      ),
    );
    await eventually(async () => expect((await system.api.stock(sku)).body).toMatchObject({ available: 1, reserved: 2 }));
    await eventually(async () => expect(await rowOf(row)).toMatchObject({ status: 'SENT' }));
  });

  it('waits for the retry window when its type is not, and is then DEAD, with its reason', async () => {
    const row = await writeRow({ ...aMessage('StockReserved', {}), ...now(), type: 'Nonsense' } as Envelope);
    const lastError = expect.stringContaining('unknown message type "Nonsense"') as string;
    await eventually(async () => expect(await rowOf(row)).toMatchObject({ status: 'FAILED', attempts: 0, lastError }));
    await eventually(async () => {
      // Its schedule would come once a minute.
      await system.api.send('POST', '/_local/functions/outbox-relay', {});
      expect(await rowOf(row)).toMatchObject({ status: 'DEAD', lastError });
    });
  });
});

describe.concurrent('poison', () => {
  it.each(Object.keys(topology.consumers))(
    'in %s’s queue ends in its dead-letter queue with its reason, and delays no order',
    async (consumer) => {
      const name = consumer.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
      const sku = unique('sku');
      await system.api.setStock(sku, 1);
      for (const body of ['not json', '{}', encodeEnvelope({ ...aMessage('StockReserved', {}), type: 'Nonsense' })]) {
        await system.queues.send(new SendMessageCommand({ QueueUrl: system.outputs[`${name}QueueUrl`], MessageBody: body }));
      }
      const { body } = await system.api.place({ items: [{ sku, qty: 1, price: 1 }] });
      expect(await settled(system, body.orderId)).toMatchObject({ status: 'CONFIRMED' });
      const found: string[] = [];
      const queueUrl = system.outputs[`${name}DeadLetterQueueUrl`];
      await eventually(async () => {
        const { Messages = [] } = await system.queues.send(
          new ReceiveMessageCommand({
            QueueUrl: queueUrl,
            MaxNumberOfMessages: 10,
            MessageAttributeNames: ['All'],
          }),
        );
        for (const message of Messages) {
          const reason = JSON.parse(message.MessageAttributes!['failure']!.StringValue!) as {
            class: string;
            consumer: string;
            error: string;
          };
          // What newer code might know was tried for the whole retry window.
          const waits = reason.error.includes('unknown message type');
          expect(reason).toMatchObject({ class: waits ? 'exhausted' : 'permanent', consumer });
          // The order that was written by hand does not exist for the saga.
          if (!reason.error.includes('there is no order')) found.push(reason.error);
          await system.queues.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }));
        }
        expect(found.length).toBe(3);
      });
      expect(found.toSorted()).toEqual([
        expect.stringContaining('message body is not JSON'),
        expect.stringContaining('message envelope is malformed'),
        expect.stringContaining('unknown message type "Nonsense"'),
      ]);
    },
  );
});

describe.concurrent('e-mail', () => {
  let ses: Server;
  let mails: { path: string; auth: string; body: { FromEmailAddress: string; Destination: { ToAddresses: string[] } } }[];
  let mailing: StartedRuntime;
  beforeAll(async () => {
    mails = [];
    let failures = 1;
    ses = createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        if (failures-- > 0) return void response.writeHead(503).end('{}');
        mails.push({
          path: incoming.url!,
          auth: incoming.headers.authorization!,
          body: JSON.parse(Buffer.concat(chunks).toString()) as never,
        });
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"MessageId":"1"}');
      });
    });
    await new Promise<void>((resolve) => ses.listen(0, '127.0.0.1', resolve));
    const { port } = ses.address() as { port: number };
    mailing = await startRuntime({
      args: ['--stage', 'test', '--context', 'emailSender=shop@example.com'],
      env: { AWS_ENDPOINT_URL_SES: `http://127.0.0.1:${port}` },
    });
  });
  afterAll(async () => {
    await mailing?.remove();
    ses.closeAllConnections();
    ses.close();
  });

  it('goes out, signed for SES, to the customer of a settled order, also when SES fails at first', async () => {
    const other = await localSystem(mailing.url);
    const { body } = await other.api.place({ items: [{ sku: 'none', qty: 1, price: 1 }], email: 'ada@example.com' });
    await settled(other, body.orderId);
    await eventually(async () => expect(mails).toHaveLength(1));
    expect(mails[0]).toMatchObject({
      path: '/v2/email/outbound-emails',
      auth: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=LOCAL\w+\/\d{8}\/us-east-1\/ses\/aws4_request/),
      body: { FromEmailAddress: 'shop@example.com', Destination: { ToAddresses: ['ada@example.com'] } },
    });
    await eventually(async () =>
      expect(await itemsOf(other, 'NotificationsTableName')).toMatchObject([{ orderId: body.orderId, email: 'sent' }]),
    );
  });
});

describe('a reply for an order that does not exist', () => {
  it('is a dead letter at once', async () => {
    await system.queues.send(
      new SendMessageCommand({
        QueueUrl: system.outputs['OrderSagaQueueUrl'],
        MessageBody: encodeEnvelope(aMessage('StockReserved', {}, { ...now(), aggregateId: 'ord_NOBODY' })),
      }),
    );
    await eventually(async () => {
      const { Messages = [] } = await system.queues.send(
        new ReceiveMessageCommand({
          QueueUrl: system.outputs['OrderSagaDeadLetterQueueUrl'],
          MaxNumberOfMessages: 10,
          MessageAttributeNames: ['All'],
        }),
      );
      expect(Messages.map(({ MessageAttributes }) => MessageAttributes!['failure']!.StringValue!).join()).toContain(
        'there is no order ord_NOBODY',
      );
    });
  });
});

describe('an order whose message was lost', () => {
  it('is asked for again by the sweep, and settles', async () => {
    const sku = unique('sku');
    await system.api.setStock(sku, 1);
    const placedAt = Date.now() - 60_000;
    const order = anOrder({ customerId: unique('c'), items: [{ sku, qty: 1, price: 5 }], total: 5, placedAt, updatedAt: placedAt });
    // The order alone, as if its row, its stream record and its queue had all been wiped.
    const item = { ...(JSON.parse(JSON.stringify(order)) as object), openShard: openShardOf(order.orderId) };
    await system.database.send(new PutCommand({ TableName: system.outputs['OrdersTableName'], Item: item }));
    const { body } = await system.api.send('POST', '/_local/functions/order-sweep', {});
    expect(body).toMatchObject({ ok: true, payload: { moved: 1 } });
    expect(await settled(system, order.orderId)).toMatchObject({ status: 'CONFIRMED', version: 5 });
    // The first message of the read model is lost for ever: it repairs itself from the order.
    await eventually(async () => {
      const { body: list } = await system.api.get(`/orders?customerId=${order.customerId}`);
      expect(list.orders).toMatchObject([{ orderId: order.orderId, status: 'CONFIRMED', itemCount: 1, total: 5 }]);
    });
  });
});
