import middy from '@middy/core';
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { publishRecords } from '@outbox-saga/kit/outbox/publisher';
import { flushTelemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { publishesFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';

export function createHandler(environment: Environment<'outbox-publisher'>, connections: QueueConnections) {
  const { outbox, publish } = publishesFrom(environment, topology, durations[environment.STAGE], connections);

  return middy<DynamoDBStreamEvent, DynamoDBBatchResponse, Error, Context>()
    .use(flushTelemetry(connections.telemetry))
    .handler(async (event) => {
      await connections.faults.before();
      return publishRecords(event.Records, outbox, publish);
    });
}
