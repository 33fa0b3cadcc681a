import middy from '@middy/core';
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { readEnvironment } from '../kit/env.ts';
import { publishRecords } from '../kit/publisher.ts';
import { flushTelemetry } from '../kit/telemetry.ts';
import { connect, publishesFrom } from '../kit/wiring.ts';

const environment = readEnvironment('outbox-publisher', functions['outbox-publisher']);
const connections = connect('outbox-publisher');
const { outbox, publish } = publishesFrom(environment, topology, durations[environment.STAGE], connections);

export const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse, Error, Context>()
  .use(flushTelemetry(connections.telemetry))
  .handler((event) => publishRecords(event.Records, outbox, publish));
