import { randomBytes, randomInt } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { DiskStorage } from '@outbox-saga/emulator/dynamodb/disk';
import { itemOfText, itemText } from '@outbox-saga/emulator/dynamodb/item-text';
import { keyOfItem, type TableSchema } from '@outbox-saga/emulator/dynamodb/schema';
import type { TableStorage } from '@outbox-saga/emulator/dynamodb/storage';

/** Whose orders are multiplied. Every other copy stays this customer's, so that somebody has a long history. */
export const busyCustomer = 'customer-0';
const customers = 1000;
/** Between two copies: later orders have later times, as they would. */
const stepMs = 25;

const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const randomLetters = (length: number): string => Array.from(randomBytes(length), (byte) => letters[byte % 32]).join('');

/** Ids of orders, ids of messages (their time stays), hashes of the idempotency table, and times in milliseconds. */
const ids = /ord_[0-9A-Z]{26}|\b01[0-9A-HJKMNP-TV-Z]{24}\b|(?<=#)[A-Za-z0-9+/]{43}=|\b(?:00)?1[78]\d{11}\b/g;

/** Gives an order other ids and times. Its texts belong together: what was one id is one id again. */
export function renamer(shiftMs: number): (text: string) => string {
  const names = new Map<string, string>();
  const renamed = (id: string): string => {
    if (id.startsWith('ord_')) return `ord_${randomLetters(26)}`;
    if (id.endsWith('=')) return randomBytes(32).toString('base64');
    if (id.length === 26) return id.slice(0, 10) + randomLetters(16);
    return String(Number(id) + shiftMs).padStart(id.length, '0');
  };
  return (text) =>
    text.replace(ids, (id) => {
      let name = names.get(id);
      if (name === undefined) names.set(id, (name = renamed(id)));
      return name;
    });
}

interface Row {
  readonly schema: TableSchema;
  readonly storage: TableStorage;
  readonly text: string;
}

/**
 * Adds copies of the orders that a data directory holds, with other ids, as rows like those that the orders left in every table. Their messages were all
 * sent, so streams and queues get none.
 *
 * @returns how many rows it added
 */
export function multiplyOrders(file: string, copies: number): number {
  const database = new DatabaseSync(file);
  try {
    // Nobody needs the file if this is cut short.
    database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1500000');
    const storage = new DiskStorage(database);
    const orders = ordersIn(storage);
    let rows = 0;
    storage.transaction(() => {
      for (let copy = 0; copy < copies; copy++) {
        const rename = renamer(copy * stepMs);
        const customer = copy % 2 === 0 ? busyCustomer : `customer-${randomInt(1, customers)}`;
        for (const { schema, storage: table, text } of orders[copy % orders.length]!) {
          const item = itemOfText(rename(text).replaceAll(`"${busyCustomer}"`, `"${customer}"`));
          table.set(keyOfItem(schema, item), undefined, item);
          rows++;
        }
      }
    });
    database.exec('PRAGMA journal_mode = WAL');
    return rows;
  } finally {
    database.close();
  }
}

/** The rows of each order. What does not name an order belongs to all of them, like the stock; only the hashes are shared out. */
function ordersIn(storage: DiskStorage): Row[][] {
  const byOrder = new Map<string, Row[]>();
  const hashed: Row[] = [];
  for (const record of storage.tables()) {
    const table = storage.save(record);
    for (const item of table.scan(undefined, undefined)) {
      const row = { schema: record.schema, storage: table, text: itemText(item) };
      const [orderId] = /ord_[0-9A-Z]{26}/.exec(row.text) ?? [];
      if (orderId !== undefined) byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), row]);
      else if (record.schema.name.includes('Idempotency')) hashed.push(row);
    }
  }
  const orders = [...byOrder.values()];
  hashed.forEach((row, i) => orders[i % orders.length]!.push(row));
  return orders;
}
