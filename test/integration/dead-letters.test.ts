import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { auditBooks } from '../support/audit.ts';
import { runningSystem } from '../support/running-system.ts';
import { eventually, queueDepth, settled } from '../support/system.ts';

const system = runningSystem({ args: ['--stage', 'test', '--fault', 'payment.failRate=1'] });
/** @returns what it printed @throws when it does not end with 0 */
const ops = async (...args: string[]): Promise<string> => {
  const command = [join(import.meta.dirname, '../../bin/ops.ts'), 'dead-letters', ...args, '--url', system.url];
  return (await promisify(execFile)(process.execPath, command, { encoding: 'utf8' })).stdout;
};

it('an operator finds what died, mends the cause, and redrives: every order settles and is charged once', async () => {
  await system.api.setStock('tea', 10);
  const orders = await Promise.all(
    ['ada', 'grace', 'joan'].map(async (customerId) => {
      const { body } = await system.client.placeOrder(
        { customerId, items: [{ sku: 'tea', qty: 1, price: 100 }] },
        { idempotencyKey: customerId },
      );
      return body.orderId;
    }),
  );
  await eventually(async () => expect(await queueDepth(system, 'PaymentDeadLetterQueueUrl')).toBeGreaterThanOrEqual(3));

  const listed = await ops('list');
  expect(listed).toMatch(
    /^payment: \d+ letters of 3 orders\n {2}\S+ {2}\d+ letters of 3 orders, .*\n {4}exhausted after \d+ attempts: .*an injected failure/m,
  );
  expect(listed).toMatch(/^inventory: 0 letters$/m);
  const fingerprint = /^ {2}(\S+) {2}/m.exec(listed)![1]!;

  await system.api.send('DELETE', '/_local/faults', undefined);
  // What was looked at is seen again within a second.
  await eventually(async () =>
    expect(await ops('redrive', '--consumer', 'payment')).toMatch(/^[3-9] letters would go back to payment\.$/m),
  );
  expect(await Promise.all(orders.map(async (id) => (await system.client.getOrder(id)).body?.status))).toEqual(orders.map(() => 'PENDING'));
  await eventually(async () =>
    expect(await ops('redrive', '--consumer', 'payment', '--fingerprint', fingerprint, '--yes')).toMatch(
      /^[3-9] letters went back to payment, 0 could not\.$/m,
    ),
  );

  for (const orderId of orders) expect(await settled(system, orderId)).toMatchObject({ status: 'CONFIRMED' });
  expect(await ops('list', '--consumer', 'payment')).toBe('payment: 0 letters\n');
  expect(await queueDepth(system, 'PaymentDeadLetterQueueUrl')).toBe(0);
  await auditBooks(system, new Map([['tea', 10]]));
});
