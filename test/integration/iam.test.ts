import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { Identities } from '@outbox-saga/local/identities';
import { runningSystem } from '../support/running-system.ts';
import { eventually, itemsOf, settled } from '../support/system.ts';

// Functions sign their calls only where they are processes; policies hold in both.
const system = runningSystem({ isolation: 'process' });
const faults = (to: unknown) => system.api.send('PUT', '/_local/faults', to);
const run = (name: string) => system.api.send('POST', `/_local/functions/${name}`, {});
const place = async (token = 'tok_ok', postalCode = '1000001'): Promise<string> => {
  const { body } = await system.api.place({
    customerId: 'ada',
    items: [{ sku: 'tea', qty: 1, price: 100 }],
    payment: { token },
    shipTo: { postalCode },
  });
  expect((await system.api.get('/_local/iam')).body.denied).toEqual([]);
  return body.orderId as string;
};
interface Grant {
  readonly function: string;
  readonly action: string;
  readonly resource: string;
}
const unused = async (): Promise<string[]> => {
  const { body } = await system.api.get('/_local/iam');
  return (body.unused as Grant[]).map(({ function: name, action, resource }) => `${name} ${action} ${resource.split(/[:/]/).at(-1)}`);
};

const idle = async (): Promise<string[]> => (await unused()).filter((grant) => !explained.some(([pattern]) => pattern.test(grant)));

/** Grants that no test can use here, each with who needs it. */
const explained: readonly [RegExp, string][] = [
  [/ xray:/, 'Lambda sends traces under the function’s role'],
  [/ logs:/, 'Lambda writes the log lines under the function’s role'],
  [/^order-sweep dynamodb:PutItem .*Idempotency/, 'a run that cannot look at all open orders in 45 seconds notes where it stopped'],
  [/^outbox-publisher sqs:Get(QueueUrl|QueueAttributes) /, 'Lambda looks the on-failure queue up before it sends to it'],
];

describe('the template’s permissions', () => {
  it('are all needed: taking any of them away would have refused something here', async () => {
    expect((await system.api.setStock('tea', 100)).status).toBe(200);
    await system.api.stock('tea');
    const confirmed = await place();
    await settled(system, confirmed);
    await settled(system, await place('tok_declined'));
    await settled(system, await place('tok_ok', '00000'));
    await settled(system, await place('tok_flaky'));
    await settled(system, await place('tok_lost_response'));
    await system.api.get(`/orders/${confirmed}/timeline`);
    await system.api.get('/orders?customerId=ada');

    // An order that is called off while the carrier is silent, and asks again before that.
    await faults({ shipping: { outage: true }, notification: { outage: true } });
    const cancelled = await place();
    await eventually(async () => expect((await system.api.order(cancelled)).body.step).toBe('ARRANGING_SHIPMENT'));
    await eventually(async () => {
      await run('order-sweep');
      expect((await system.api.order(cancelled)).body.version).toBeGreaterThan(3);
    });
    await system.api.send('POST', `/orders/${cancelled}/cancel`, undefined);
    await faults({});
    await settled(system, cancelled);

    // A message that the stream does not deliver is the sweep's to hand over.
    await faults({ 'outbox-publisher': { outage: true } });
    const unsent = await place();
    await eventually(async () => {
      await run('order-sweep');
      await run('outbox-relay');
      expect((await system.api.order(unsent)).body.step).not.toBe('RESERVING_STOCK');
    });
    await faults({});
    await settled(system, unsent);

    // Failures are counted and dead-lettered; duplicates are looked up; what is refused is relayed; gaps are repaired.
    const consumers = ['inventory', 'payment', 'shipping', 'order-saga', 'notification', 'order-view'];
    await faults({
      ...Object.fromEntries(consumers.map((name) => [name, { failRate: 0.3, ackLossRate: 0.3, duplicateRate: 0.5, throttleRate: 0.15 }])),
      'outbox-publisher': { partialBatchRate: 0.3 },
      'order-view': { reorderRate: 0.7, ackLossRate: 0.3, failRate: 0.3 },
    });
    for (const name of ['Inventory', 'Payment', 'Shipping', 'OrderSaga', 'Notification', 'OrderView']) {
      await system.queues.send(new SendMessageCommand({ QueueUrl: system.outputs[`${name}QueueUrl`], MessageBody: 'poison' }));
    }
    // Faults strike by chance: as many orders as it takes.
    await eventually(async () => {
      await Promise.all(Array.from({ length: 6 }, (_, i) => place('tok_ok', i % 3 === 0 ? '00000' : '1000001')));
      await run('outbox-relay');
      await run('order-sweep');
      expect(await idle()).toEqual([]);
    });
    await faults({});
    await eventually(async () => {
      await run('outbox-relay');
      await run('order-sweep');
      const open = (await itemsOf<{ openShard?: string }>(system, 'OrdersTableName')).filter(({ openShard }) => openShard !== undefined);
      expect(open).toHaveLength(0);
    });

    expect((await system.api.get('/_local/iam')).body.denied).toEqual([]);
    for (const [pattern] of explained)
      expect(
        (await unused()).some((grant) => pattern.test(grant)),
        `${pattern} explains something`,
      ).toBe(true);
  });

  it('are enforced for each function by its signature, whatever URL it uses', async () => {
    const { body } = await system.api.get('/_local/resources');
    const { body: functions } = await system.api.get('/_local/functions');
    const accessKeyId = functions.inventory.identity as string;
    const as = (secretAccessKey: string) => ({
      endpoint: body.endpoint as string,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
    });
    const secret = new Identities(system.dataDir).secretOfFunction(accessKeyId);
    const client = new DynamoDBClient(as(secret));
    const queues = new SQSClient({ ...as(secret), useQueueUrlAsEndpoint: false });
    const orders = new GetCommand({ TableName: system.outputs['OrdersTableName'], Key: { orderId: 'x' } });
    await expect(client.send(orders)).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringMatching(
        /assumed-role\/\w+\/inventory is not authorized to perform: dynamodb:GetItem on resource: \S+OrdersTable/,
      ),
    });
    const name = new URL(system.outputs['PaymentQueueUrl']!).pathname;
    for (const QueueUrl of [system.outputs['PaymentQueueUrl'], `http://inventory.example${name}`]) {
      await expect(queues.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }))).rejects.toMatchObject({
        name: 'AccessDeniedException',
        message: expect.stringMatching(/sqs:SendMessage on resource: \S+PaymentQueue/),
      });
    }
    expect(
      ((await system.api.get('/_local/iam')).body.denied as string[]).filter((refusal) => refusal.includes('/inventory ')),
    ).toHaveLength(3);
    // Whoever knows only a function's name is not that function.
    const impostor = new DynamoDBClient(as('guessed'));
    const own = new GetCommand({ TableName: system.outputs['InventoryTableName'], Key: { pk: 'sku#tea' } });
    await expect(client.send(own)).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
    await expect(impostor.send(own)).rejects.toMatchObject({ name: 'InvalidSignatureException' });
    for (const each of [client, queues, impostor]) each.destroy();
  });
});
