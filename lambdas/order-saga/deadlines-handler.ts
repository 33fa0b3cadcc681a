import middy from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { messageMaker } from '../kit/message.ts';
import { flushTelemetry } from '../kit/telemetry.ts';
import { commitsTo, connect } from '../kit/wiring.ts';
import { sweepDeadlines, type Sweep } from './deadlines.ts';

const environment = readEnvironment('order-deadlines', functions['order-deadlines']);
const stage = durations[environment.STAGE];
const connections = connect('order-deadlines');
const { telemetry, world } = connections;
const store = { ...commitsTo(environment.OUTBOX_TABLE, stage, connections), ordersTable: environment.ORDERS_TABLE };
const makeMessage = messageMaker(topology, world);

/** Left over at the end of a run for the order in hand. */
const reserveMs = 5000;

export const handler = middy<ScheduledEvent, Sweep, Error, Context>()
  .use(flushTelemetry(telemetry))
  .handler(async (_event, context) => {
    const mayContinue = (): boolean => context.getRemainingTimeInMillis() > reserveMs;
    const sweep = await sweepDeadlines({ store, makeMessage, telemetry }, stage.nudge, world.newId(), mayContinue);
    telemetry.info('deadlines', { ...sweep });
    return sweep;
  });
