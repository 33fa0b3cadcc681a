import { startPublisher } from '@outbox-saga/kit/outbox/start';
import { durations, functions, topology } from '../contract.ts';

export const handler = startPublisher(functions['outbox-publisher'], { topology, durations });
