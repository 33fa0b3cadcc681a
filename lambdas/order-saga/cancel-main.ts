import { start } from '@outbox-saga/kit/function/start';
import { functions } from '../contract/functions.ts';
import { createHandler } from './cancel-handler.ts';

export const handler = start('order-cancel', functions['order-cancel'], createHandler);
