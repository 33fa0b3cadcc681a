import { describe, expect, it } from 'vitest';
import { answerToPlaced, decide, evolve } from '../../lambdas/inventory/reservation.ts';
import { deciderSpecification } from '@outbox-saga/testing/decider';

const { given } = deciderSpecification({ decide, evolve });
const items = [{ sku: 'a', qty: 2 }];
const shortages = [{ sku: 'a', asked: 2, available: 1 }];
const reserved = { type: 'Reserved', items } as const;
const rejected = { type: 'Rejected', shortages } as const;
const released = { type: 'Released' } as const;

describe('an order’s reservation', () => {
  it('is made once, and answered for again', () => {
    given().when({ type: 'Reserve', items }).then({ kind: 'store', event: reserved });
    given(reserved).is({ status: 'RESERVED', items });
    given(reserved)
      .when({ type: 'Reserve', items })
      .then({ kind: 'answer again', reservation: { status: 'RESERVED', items } });
    given(rejected)
      .when({ type: 'Reserve', items })
      .then({ kind: 'answer again', reservation: { status: 'REJECTED', shortages } });
  });

  it('is rejected with what is short, unless there is one already', () => {
    given().when({ type: 'Short', shortages }).then({ kind: 'store', event: rejected });
    given(reserved)
      .when({ type: 'Short', shortages })
      .then({ kind: 'answer again', reservation: { status: 'RESERVED', items } });
  });

  it('is released with what it holds, and once', () => {
    given(reserved).when({ type: 'Release' }).then({ kind: 'store', event: released });
    given(reserved, released).is({ status: 'RELEASED', items });
    given(reserved, released)
      .when({ type: 'Release' })
      .then({ kind: 'answer again', reservation: { status: 'RELEASED', items } });
    given(rejected)
      .when({ type: 'Release' })
      .then({ kind: 'answer again', reservation: { status: 'REJECTED', shortages } });
  });

  it('that is released before it was made is a tombstone: nothing may be reserved any more', () => {
    given().when({ type: 'Release' }).then({ kind: 'store', event: released });
    given(released).is({ status: 'RELEASED', items: [] });
    given(released)
      .when({ type: 'Reserve', items })
      .then({ kind: 'answer again', reservation: { status: 'RELEASED', items: [] } });
  });

  it('of whoever comes second is the first one’s, or is tried again', () => {
    given(reserved)
      .when({ type: 'Overtaken', event: reserved })
      .then({ kind: 'answer again', reservation: { status: 'RESERVED', items } });
    given()
      .when({ type: 'Overtaken', event: reserved })
      .then({ kind: 'retry later', why: expect.any(String) as string });
    given().when({ type: 'Overtaken', event: rejected }).then({ kind: 'retry later', why: 'got a reservation while it was rejected' });
    given(reserved)
      .when({ type: 'Overtaken', event: released })
      .then({ kind: 'retry later', why: 'got another reservation while its release was recorded' });
  });

  it('answers OrderPlaced by its status', () => {
    expect(answerToPlaced({ status: 'RESERVED', items })).toEqual({ type: 'StockReserved', data: {} });
    expect(answerToPlaced({ status: 'REJECTED', shortages })).toEqual({ type: 'StockRejected', data: { shortages } });
    expect(answerToPlaced({ status: 'RELEASED', items })).toEqual({ type: 'StockRejected', data: { shortages: [] } });
  });
});
