import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Message, MessageData, MessageType } from '../../lambdas/contract/messages.ts';
import { groupIdOf, orderIdOf, type Order } from '../../lambdas/contract/order.ts';
import { idSource, type World } from '@outbox-saga/kit/function/world';
import type { Fields, Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import type { MetricDefinition } from '@outbox-saga/kit/telemetry/metrics';

/** A world whose clock moves only when it is told to. */
export function testWorld(start = 1_700_000_000_000): World & { advance(milliseconds: number): void } {
  let now = start;
  let counter = 0n;
  return {
    now: () => now,
    random: () => 0.5,
    newId: idSource(
      () => now,
      () => ++counter << 40n,
    ),
    pause: (milliseconds) => {
      now += milliseconds;
      return Promise.resolve();
    },
    advance: (milliseconds) => {
      now += milliseconds;
    },
  };
}

/** Keeps what was reported, for assertions. */
export function testTelemetry(): Telemetry & { lines: { message: string; fields: Fields }[]; measured: Map<string, number[]> } {
  const lines: { message: string; fields: Fields }[] = [];
  const measured = new Map<string, number[]>();
  const line = (message: string, fields: Fields): void => void lines.push({ message, fields });
  const measure = (metric: MetricDefinition, value: number): void =>
    void measured.set(metric.name, [...(measured.get(metric.name) ?? []), value]);
  return { lines, measured, info: line, warn: line, error: line, measure, measureBy: measure, flush: () => undefined };
}

let orders = 0;

export function anOrder(changes: Partial<Order> = {}): Order {
  const customerId = changes.customerId ?? 'c1';
  return {
    schemaVersion: 1,
    orderId: orderIdOf(customerId, `key-${++orders}`),
    customerId,
    status: 'PENDING',
    step: 'RESERVING_STOCK',
    version: 1,
    currency: 'JPY',
    total: 1000,
    items: [{ sku: 'coffee', qty: 2, price: 500 }],
    paymentToken: 'tok_ok',
    groupId: groupIdOf(customerId),
    correlationId: 'correlation-1',
    placedAt: 1_700_000_000_000,
    updatedAt: 1_700_000_000_000,
    ...changes,
  };
}

const ids = idSource(
  () => 1_700_000_000_000,
  () => 0n,
);

export function aMessage<Type extends MessageType>(type: Type, data: MessageData<Type>, changes: Partial<Envelope> = {}): Message<Type> {
  return {
    messageId: ids(),
    type,
    version: topology.messages[type].version,
    kind: topology.routes[type].kind,
    aggregateId: orderIdOf('c1', 'some-key'),
    groupId: groupIdOf('c1'),
    correlationId: 'correlation-1',
    causationId: 'cause-1',
    occurredAt: 1_700_000_000_000,
    data,
    ...changes,
  } as unknown as Message<Type>;
}

/** Keys that every message of the saga carries. */
export const orderKeys = { customerId: 'c1', placedAt: 1_700_000_000_000 };
