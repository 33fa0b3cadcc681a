import { startWithQueues } from '@outbox-saga/kit/function/start';
import { functions } from '../contract/functions.ts';
import { createHandler } from './handler.ts';

export const handler = startWithQueues('payment', functions.payment, createHandler);
