import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signWith } from '../support/client.ts';
import type { Emulator } from './emulator.ts';
import { randomUUID } from 'node:crypto';
import { OrderSagaClient } from '../../client/order-saga.ts';
import { until } from '@outbox-saga/emulator/ports';

interface Template {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties?: Readonly<Record<string, unknown>> }>;
}

/**
 * Deploys stage dev with its alarms. The emulator refuses alarms on metric math, so those are taken out of the template, by name and in plain sight;
 * every other alarm must be there afterwards, with its action, and an order must be confirmed.
 */
export async function deployWithAlarms(emulator: Emulator): Promise<boolean> {
  const assembly = emulator.synthesized('dev');
  const expected = leaveOutMetricMath(join(assembly, 'OrderSaga-dev.template.json'));
  let whole = false;
  try {
    const deployed = emulator.deploy('dev', assembly);
    if (!deployed) return false;
    const { MetricAlarms } = (await emulator.call('GraniteServiceVersion20100801.DescribeAlarms', { MaxRecords: 100 })) as {
      MetricAlarms: { AlarmActions?: string[] }[];
    };
    const telling = MetricAlarms.filter(({ AlarmActions = [] }) => AlarmActions.some((arn) => arn.includes('AlarmTopic')));
    process.stdout.write(`-- alarms: ${MetricAlarms.length} of ${expected} are there, ${telling.length} notify the topic\n`);
    if (MetricAlarms.length !== expected || telling.length !== expected) return false;

    const status = await orderOf(deployed.url);
    process.stdout.write(`-- an order on stage dev: ${status}\n`);
    whole = status === 'CONFIRMED';
  } finally {
    whole = emulator.destroy('dev') && whole;
  }
  return whole;
}

/** @returns how many alarms are left */
function leaveOutMetricMath(file: string): number {
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
  let left = 0;
  for (const [id, { Type, Properties }] of Object.entries(template.Resources)) {
    if (Type !== 'AWS::CloudWatch::Alarm') continue;
    if (Properties?.['Metrics'] === undefined) {
      left++;
      continue;
    }
    process.stdout.write(`-- left out, because the emulator refuses metric math: ${id}\n`);
    delete template.Resources[id];
  }
  writeFileSync(file, JSON.stringify(template));
  return left;
}

/** Places an order and waits for its end. @returns how it ended */
async function orderOf(baseUrl: string): Promise<string> {
  const client = new OrderSagaClient({ baseUrl, authorize: signWith({ accessKeyId: 'test', secretAccessKey: 'test' }) });
  const sku = `sku-${randomUUID().slice(0, 8)}`;
  await client.putStock(sku, { available: 1 });
  const { body } = await client.placeOrder({ customerId: 'c1', items: [{ sku, qty: 1, price: 500 }] }, { idempotencyKey: sku });
  let status = 'PENDING';
  await until('the order settles', 60_000, async () => {
    ({ status } = (await client.getOrder(body.orderId)).body!);
    return status !== 'PENDING';
  });
  return status;
}
