import { start } from '@outbox-saga/kit/function/start';
import { functions } from '../contract/functions.ts';
import { createHandler } from './sweep-handler.ts';

export const handler = start('order-sweep', functions['order-sweep'], createHandler);
