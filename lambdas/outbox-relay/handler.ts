import middy from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import type { Environment } from '../contract/functions.ts';
import { metrics } from '../contract/metrics.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { openShardName, openShards } from '../contract/tables.ts';
import { countIndex, gaugeOutbox, relayDueRows, reportGauges } from '@outbox-saga/kit/outbox/relay';
import { flushTelemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { publishesFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';

/** Left over at the end of a run for the gauges and for the row in hand. */
const reserveMs = 10_000;

export function createHandler(environment: Environment<'outbox-relay'>, connections: QueueConnections) {
  const { telemetry, database, world } = connections;
  const { outbox, publish } = publishesFrom(environment, topology, durations[environment.STAGE], connections);

  async function openOrders(): Promise<number> {
    let count = 0;
    for (let shard = 0; shard < openShards; shard++) {
      count += await countIndex(database, environment.ORDERS_TABLE, 'open', 'openShard = :shard', { ':shard': openShardName(shard) });
    }
    return count;
  }

  return middy<ScheduledEvent, { relayed: number }, Error, Context>()
    .use(flushTelemetry(telemetry))
    .handler(async (_event, context) => {
      await connections.faults.before();
      const relayed = await relayDueRows(outbox, publish, world.newId(), () => context.getRemainingTimeInMillis() > reserveMs);
      const gauges = await gaugeOutbox(outbox);
      reportGauges(outbox, gauges);
      const open = await openOrders();
      telemetry.count(metrics.openOrders, open);
      telemetry.info('relay', { relayed, openOrders: open, ...gauges });
      return { relayed };
    });
}
