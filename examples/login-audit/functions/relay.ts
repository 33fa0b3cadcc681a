import { startRelay } from '@outbox-saga/kit/outbox/start';
import { durations, functions, topology } from '../contract.ts';

export const handler = startRelay(functions['outbox-relay'], { topology, durations });
