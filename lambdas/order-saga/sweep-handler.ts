import middy from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { flushTelemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { commitsTo, type Connections } from '@outbox-saga/kit/function/wiring';
import type { OutboxContext } from '@outbox-saga/kit/outbox/row-store';
import { sweepOpenOrders, type Sweep } from './sweep.ts';

/** Left over at the end of a run for the orders in hand. */
const reserveMs = 5000;

export function createHandler(environment: Environment<'order-sweep'>, connections: Connections) {
  const stage = durations[environment.STAGE];
  const { telemetry, world } = connections;
  const store = { ...commitsTo(environment, stage, connections), ordersTable: environment.ORDERS_TABLE };
  const outbox: OutboxContext = { database: connections.database, table: environment.OUTBOX_TABLE, relay: stage.relay, telemetry, world };
  const makeMessage = messageMaker(topology, world);

  return middy<ScheduledEvent, Sweep, Error, Context>()
    .use(flushTelemetry(telemetry))
    .handler(async (_event, context) => {
      await connections.faults.before();
      const mayContinue = (): boolean => context.getRemainingTimeInMillis() > reserveMs;
      const sweep = await sweepOpenOrders({
        saga: { store, makeMessage, telemetry },
        closing: {
          store,
          makeMessage,
          outbox,
          orderViewTable: environment.ORDER_VIEW_TABLE,
          notificationsTable: environment.NOTIFICATIONS_TABLE,
          policy: stage.reminder,
        },
        places: { database: connections.database, table: environment.IDEMPOTENCY_TABLE, telemetry, world },
        policy: stage.reminder,
        closeAfterSeconds: stage.closeAfterSeconds,
        unclosedAfterSeconds: stage.giveUpSeconds,
        mostMoves: 1000,
        causationId: world.newId(),
        mayContinue,
      });
      telemetry.info('sweep', { ...sweep });
      return sweep;
    });
}
