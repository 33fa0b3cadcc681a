import middy from '@middy/core';
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent, ScheduledEvent } from 'aws-lambda';
import type { QueueConnections } from '../function/wiring.ts';
import type { Durations } from '../messages/durations.ts';
import type { Topology } from '../messages/topology.ts';
import { flushTelemetry } from '../telemetry/telemetry.ts';
import type { PublishContext } from './deliver.ts';
import { publishRecords } from './publisher.ts';
import { gaugeOutbox, relayDueRows, reportGauges } from './relay.ts';
import type { OutboxContext } from './row-store.ts';

/** The variables that deploy time gives to publisher and relay. */
export interface PublishingEnvironment {
  readonly OUTBOX_TABLE: string;
  /** Consumer → URL of its queue. */
  readonly QUEUE_URLS: Readonly<Record<string, string>>;
}

/** What is published, and how it is tried. */
export interface Publishing {
  readonly topology: Topology;
  readonly durations: Durations;
}

/** Left over at the end of a run for the gauges and for the row in hand. */
const reserveMs = 10_000;

/** What publisher and relay work with. */
function publishesFrom(
  environment: PublishingEnvironment,
  { topology, durations }: Publishing,
  { database, queues, telemetry, world }: QueueConnections,
): { outbox: OutboxContext; publish: PublishContext } {
  return {
    outbox: { database, table: environment.OUTBOX_TABLE, relay: durations.relay, telemetry, world },
    publish: { topology, queues, queueUrls: environment.QUEUE_URLS, holdSeconds: durations.retry.windowSeconds },
  };
}

/** The publisher: a Lambda handler for the outbox table's stream. */
export function createPublisher(environment: PublishingEnvironment, connections: QueueConnections, publishing: Publishing) {
  const { outbox, publish } = publishesFrom(environment, publishing, connections);
  return middy<DynamoDBStreamEvent, DynamoDBBatchResponse, Error, Context>()
    .use(flushTelemetry(connections.telemetry))
    .handler(async (event) => {
      await connections.faults.before();
      return publishRecords(event.Records, outbox, publish);
    });
}

/**
 * The relay: a Lambda handler for a schedule, once a minute. It sends the rows that are due, and reports the outbox's gauges.
 *
 * @param gauge what else to report once a minute: fields of the run's log line. Default: nothing
 */
export function createRelay(
  environment: PublishingEnvironment,
  connections: QueueConnections,
  publishing: Publishing,
  gauge: () => Promise<Readonly<Record<string, number>>> = () => Promise.resolve({}),
) {
  const { telemetry, world } = connections;
  const { outbox, publish } = publishesFrom(environment, publishing, connections);
  return middy<ScheduledEvent, { relayed: number }, Error, Context>()
    .use(flushTelemetry(telemetry))
    .handler(async (_event, context) => {
      await connections.faults.before();
      const relayed = await relayDueRows(outbox, publish, world.newId(), () => context.getRemainingTimeInMillis() > reserveMs);
      const gauges = await gaugeOutbox(outbox);
      reportGauges(outbox, gauges);
      telemetry.info('relay', { relayed, ...(await gauge()), ...gauges });
      return { relayed };
    });
}
