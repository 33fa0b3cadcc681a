import { describe, expect, it } from 'vitest';
import { faultsFrom, parseFaults, variablesOf } from '@outbox-saga/kit/function/fault-settings';
import { FaultBoard, faultOf, splitBatch } from '@outbox-saga/local/faults';
import { app } from '../../lib/local-app.ts';
import { parseOptions } from '@outbox-saga/local/options';

const functions = ['inventory', 'payment'];

describe('faults as data', () => {
  it('are read from the command line, one by one or several at once', () => {
    expect(parseFaults(['inventory.failRate=0.3,inventory.delayMs=500', 'payment.outage=true'], functions)).toEqual({
      inventory: { failRate: 0.3, delayMs: 500 },
      payment: { outage: true },
    });
    expect(parseFaults([''], functions)).toEqual({});
  });

  it.each([
    ['inventory', /fault "inventory": must be <function>.<setting>=<value>/],
    ['stock.failRate=1', /faults.stock: no such function; known are inventory, payment/],
    ['inventory.gravity=1', /faults.inventory.gravity: no such fault; known are failRate/],
    ['inventory.toString=1', /faults.inventory.toString: no such fault/],
    ['inventory.failRate=2', /faults.inventory.failRate: must be a number from 0 to 1/],
    ['inventory.failRate=much', /must be a number from 0 to 1/],
    ['inventory.delayMs=60000', /faults.inventory.delayMs: must be a number from 0 to 10000/],
    ['inventory.dieAfter=3', /faults.inventory.dieAfter: must be an operation such as PutItem or PutItem#2/],
    ['inventory.outage=1', /faults.inventory.outage: must be true or false/],
  ])('%s is refused by name', (text, why) => {
    expect(() => parseFaults([text], functions)).toThrow(why);
  });

  it.each([[[]], ['text'], [null], [{ inventory: 3 }], [{ inventory: { failRate: '0.3' } }]])('%j is refused', (value) => {
    expect(() => faultsFrom(value, functions)).toThrow(/^faults/);
  });

  it('reach a function as variables, empty where they are off', () => {
    expect(variablesOf({ failRate: 0.3, throttleRate: 1 })).toEqual({
      FAULT_FAIL_RATE: '0.3',
      FAULT_DELAY_MS: '',
      FAULT_ACK_LOSS_RATE: '',
    });
  });

  it('are options of the local runtime', () => {
    expect(parseOptions(app, ['--fault', 'inventory.failRate=0.3', '--fault', 'payment.ackLossRate=1'], {})).toMatchObject({
      faults: { inventory: { failRate: 0.3 }, payment: { ackLossRate: 1 } },
    });
    expect(() => parseOptions(app, ['--fault', 'nobody.failRate=1'], {})).toThrow(
      /--fault nobody.failRate=1: faults.nobody: no such function/,
    );
  });
});

describe('the board', () => {
  it('lets the runtime die at one side of one call, and counts the calls before it', () => {
    const board = new FaultBoard({ payment: { dieAfter: 'PutItem#2' } });
    expect(board.dies('payment', 'PutItem', 'dieBefore')).toBe(false);
    expect(board.dies('payment', 'GetItem', 'dieAfter')).toBe(false);
    expect([1, 2, 3].map(() => board.dies('payment', 'PutItem', 'dieAfter'))).toEqual([false, true, false]);
  });

  it('empties queues that are to be wiped, once', async () => {
    const board = new FaultBoard({});
    const wiped: string[] = [];
    board.onWipe = (name) => Promise.resolve(void wiped.push(name));
    await board.replace({ payment: { wiped: true }, inventory: { wiped: false } });
    expect(wiped).toEqual(['payment']);
  });
});

describe('faulty answers of AWS', () => {
  const transaction = { TransactItems: [{}, {}, {}] };

  it('throttle and conflict in the words of DynamoDB, for the function that they are set for', () => {
    const board = new FaultBoard({ inventory: { throttleRate: 1 }, payment: { conflictRate: 1 } });
    expect(faultOf(board, 'inventory', 'GetItem', {})).toMatchObject({ name: 'ProvisionedThroughputExceededException' });
    const cancelled = faultOf(board, 'payment', 'TransactWriteItems', transaction)!;
    expect(cancelled.name).toBe('TransactionCanceledException');
    const codes = (cancelled.fields['CancellationReasons'] as { Code: string }[]).map(({ Code }) => Code);
    expect(codes.toSorted()).toEqual(['None', 'None', 'TransactionConflict']);
    expect(faultOf(board, 'payment', 'GetItem', {})).toBeUndefined();
    expect(faultOf(board, 'shipping', 'TransactWriteItems', transaction)).toBeUndefined();
    expect(board.counts).toEqual({ 'inventory.throttleRate': 1, 'payment.conflictRate': 1 });
  });

  it('refuse entries of a batch', () => {
    const entries = [{ Id: '0' }, { Id: '1' }];
    expect(splitBatch(new FaultBoard({ publisher: { partialBatchRate: 1 } }), 'publisher', entries)).toMatchObject({
      taken: [],
      failed: [{ Id: '0', SenderFault: true }, { Id: '1' }],
    });
    expect(splitBatch(new FaultBoard({}), 'publisher', entries)).toEqual({ taken: entries, failed: [] });
  });
});
