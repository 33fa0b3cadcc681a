import { startPublisher } from '@outbox-saga/kit/outbox/start';
import { functions } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';

export const handler = startPublisher(functions['outbox-publisher'], { topology, durations });
