import { createRelay } from '@outbox-saga/kit/outbox/handlers';
import { countIndex } from '@outbox-saga/kit/outbox/relay';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Environment } from '../contract/functions.ts';
import { metrics } from '../contract/metrics.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { openShardName, openShards } from '../contract/tables.ts';

export function createHandler(environment: Environment<'outbox-relay'>, connections: QueueConnections) {
  const { telemetry, database } = connections;

  async function gaugeOrders(): Promise<{ openOrders: number }> {
    let openOrders = 0;
    for (let shard = 0; shard < openShards; shard++) {
      openOrders += await countIndex(database, {
        table: environment.ORDERS_TABLE,
        index: 'open',
        condition: 'openShard = :shard',
        values: { ':shard': openShardName(shard) },
      });
    }
    telemetry.measure(metrics.openOrders, openOrders);
    return { openOrders };
  }

  return createRelay(environment, connections, { topology, durations: durations[environment.STAGE] }, gaugeOrders);
}
