import { describe, it } from 'vitest';
import {
  decide,
  evolve,
  voidedReason,
  type EffectDecision,
  type EffectEvent,
  type EffectGoal,
  type EffectInput,
  type EffectRecord,
} from '@outbox-saga/kit/effects/effect';
import { RequestRefused } from '@outbox-saga/kit/effects/effect-port';
import { deciderSpecification } from '@outbox-saga/testing/decider';

type Asked = { readonly sku: string };
const request: Asked = { sku: 'a' };
const now = 1_700_000_000_000;
const terms = {
  names: { doing: 'DOING', done: 'DONE', refused: 'REFUSED', undoing: 'UNDOING', undone: 'UNDONE', voided: 'VOIDED' },
  providerKeySeconds: 3600,
  callSeconds: 15,
};
const { given, inState } = deciderSpecification({
  decide: (record: EffectRecord<Asked> | undefined, input: EffectInput<Asked>): EffectDecision<Asked> => decide(record, input, terms),
  evolve: (record: EffectRecord<Asked> | undefined, event: EffectEvent<Asked>) => evolve(record, event, now),
});

const begun = { type: 'Begun', request } as const;
const done = { type: 'Done', reference: 'r' } as const;
const refused = { type: 'Refused', reason: 'no' } as const;
const undoBegun = { type: 'UndoBegun', reference: 'r' } as const;
const undone = { type: 'Undone' } as const;
const voided = { type: 'Voided' } as const;
const asked = { type: 'Do', request } as const;
const drive = (goal: EffectGoal, at = now): EffectInput<Asked> => ({ type: 'Drive', goal, now: at });
const perform = { type: 'perform', request } as const;
const lookUp = { type: 'find', conclusive: false } as const;
const callUndo = { type: 'undo', request, reference: 'r' } as const;
const nothingUndone = { type: 'undone', undone: false } as const;

describe('asked to do it', () => {
  it('an effect begins with its intent, and then is driven to its outcome', () => {
    given().when(asked).then({ kind: 'store', event: begun });
    given(begun).when({ type: 'Stored', goal: 'do', event: begun }).then({ kind: 'drive' });
    given(begun).is({ status: 'doing', request, startedAt: now });
    given(begun).when(drive('do')).then({ kind: 'call', call: perform });
  });

  it('an effect in progress is driven to its outcome, and a finished one is answered again', () => {
    given(begun).when(asked).then({ kind: 'drive' });
    for (const events of [
      [begun, done],
      [begun, undoBegun],
      [begun, undoBegun, undone],
    ] as const) {
      given(...events)
        .when(asked)
        .then({ kind: 'answer again', reply: { type: 'done', reference: 'r' } });
    }
    given(begun, refused)
      .when(asked)
      .then({ kind: 'answer again', reply: refusedReply('no') });
    given(voided)
      .when(asked)
      .then({ kind: 'answer again', reply: refusedReply(voidedReason) });
  });

  it('the provider’s answer is stored with its reply', () => {
    given(begun)
      .when(answered('do', { outcome: 'done', reference: 'r' }))
      .then({ kind: 'store', event: done, reply: { type: 'done', reference: 'r' } });
    given(begun)
      .when(answered('do', { outcome: 'refused', reason: 'no' }))
      .then({ kind: 'store', event: refused, reply: refusedReply('no') });
    given(begun)
      .when(answered('do', { outcome: 'pending' }))
      .then(later('unavailable', 'the provider does not know the outcome yet'));
    given(begun, done).is({ status: 'done', request, reference: 'r', startedAt: now, updatedAt: now });
    given(begun, done).when({ type: 'Stored', goal: 'do', event: done }).then({ kind: 'end', outcome: 'done' });
    given(begun, refused).when({ type: 'Stored', goal: 'do', event: refused }).then({ kind: 'end', outcome: 'refused' });
  });

  it('what has no trace after a long outage is renewed and sent; what was undone was done', () => {
    given(begun)
      .when(answered('do', { outcome: 'unknown' }, lookUp))
      .then({ kind: 'store', event: { type: 'Renewed' } });
    given(begun)
      .when({ type: 'Stored', goal: 'do', event: { type: 'Renewed' } })
      .then({ kind: 'drive' });
    given(begun)
      .when(answered('do', { outcome: 'undone', reference: 'r' }, lookUp))
      .then({ kind: 'store', event: done, reply: { type: 'done', reference: 'r' } });
  });

  it('a reason is kept up to 300 characters', () => {
    given(begun, { type: 'Refused', reason: 'x'.repeat(301) }).is({
      status: 'refused',
      request,
      reason: 'x'.repeat(300),
      startedAt: now,
      updatedAt: now,
    });
  });
});

describe('asked to undo it', () => {
  it('an effect that was never asked for gets a tombstone', () => {
    given().when({ type: 'Undo' }).then({ kind: 'store', event: voided, reply: nothingUndone });
    given(voided).is({ status: 'voided', reason: voidedReason, startedAt: now });
    given(voided).when({ type: 'Stored', goal: 'undo', event: voided }).then({ kind: 'end', outcome: 'tombstone' });
  });

  it('an effect in doubt is sent once more under its key, not looked up: only the key makes a late request a repetition', () => {
    given(begun).when({ type: 'Undo' }).then({ kind: 'drive' });
    given(begun).when(drive('undo')).then({ kind: 'call', call: perform });
  });

  it('what turns out to be done is undone; what turns out to be refused has nothing to undo', () => {
    given(begun)
      .when(answered('undo', { outcome: 'done', reference: 'r' }))
      .then({ kind: 'store', event: undoBegun });
    given(begun)
      .when(answered('undo', { outcome: 'refused', reason: 'no' }))
      .then({ kind: 'store', event: refused, reply: nothingUndone });
    given(begun, refused).when({ type: 'Stored', goal: 'undo', event: refused }).then({ kind: 'end', outcome: 'nothing to undo' });
    given(begun, undoBegun).when({ type: 'Stored', goal: 'undo', event: undoBegun }).then({ kind: 'call', call: callUndo });
  });

  it('no trace is believed only when nothing can be under way any more', () => {
    given(begun)
      .when(answered('undo', { outcome: 'unknown' }, lookUp))
      .then(later('unavailable', 'the provider has no trace of it, and a call may still be under way'));
    const reason = 'the provider has no trace of it';
    given(begun)
      .when(answered('undo', { outcome: 'unknown' }, { ...lookUp, conclusive: true }))
      .then({ kind: 'store', event: { type: 'Refused', reason }, reply: nothingUndone });
  });

  it('what is done is undone, and what is over is answered again', () => {
    given(begun, done).when({ type: 'Undo' }).then({ kind: 'store', event: undoBegun });
    given(begun, undoBegun).when({ type: 'Undo' }).then({ kind: 'drive' });
    given(begun, undoBegun).when(drive('undo')).then({ kind: 'call', call: callUndo });
    given(begun, undoBegun, undone)
      .when({ type: 'Undo' })
      .then({ kind: 'answer again', reply: { type: 'undone', undone: true } });
    given(begun, refused).when({ type: 'Undo' }).then({ kind: 'answer again', reply: nothingUndone });
    given(voided).when({ type: 'Undo' }).then({ kind: 'answer again', reply: nothingUndone });
  });

  it('the provider’s answer to an undo is stored with its reply', () => {
    given(begun, undoBegun)
      .when(answered('undo', { outcome: 'undone' }, callUndo))
      .then({ kind: 'store', event: undone, reply: { type: 'undone', undone: true } });
    given(begun, undoBegun)
      .when(answered('undo', { outcome: 'pending' }, callUndo))
      .then(later('unavailable', 'the provider has not finished the undo'));
    given(begun, undoBegun, undone).when({ type: 'Stored', goal: 'undo', event: undone }).then({ kind: 'end', outcome: 'undone' });
    given(begun, undoBegun, undone).is({ status: 'undone', request, reference: 'r', startedAt: now, updatedAt: now });
  });
});

describe('the key of a call', () => {
  const lastSend = (terms.providerKeySeconds - terms.callSeconds - 60) * 1000;

  it('is used until a call could outlive it; then it is looked up', () => {
    for (const goal of ['do', 'undo'] as const) {
      given(begun)
        .when(drive(goal, now + lastSend))
        .then({ kind: 'call', call: perform });
      given(begun)
        .when(drive(goal, now + lastSend + 1))
        .then({ kind: 'call', call: lookUp });
    }
    given(begun)
      .when(drive('undo', now + 3_600_000))
      .then({ kind: 'call', call: lookUp });
    given(begun)
      .when(drive('undo', now + 3_600_001))
      .then({ kind: 'call', call: { ...lookUp, conclusive: true } });
  });

  it('of an undo lives from the undo on', () => {
    const undoing = { status: 'undoing', request, reference: 'r', startedAt: now - 7_200_000, updatedAt: now } as const;
    inState(undoing)
      .when(drive('undo', now + lastSend))
      .then({ kind: 'call', call: callUndo });
    inState(undoing)
      .when(drive('undo', now + lastSend + 1))
      .then({ kind: 'call', call: lookUp });
    inState({ ...undoing, updatedAt: undefined })
      .when(drive('undo'))
      .then({ kind: 'call', call: { ...lookUp, conclusive: true } });
  });

  it('that may be forgotten leaves to the look-up whether the undo is called again', () => {
    const undoing = given(begun, undoBegun);
    undoing.when(answered('undo', { outcome: 'done', reference: 'r' }, lookUp)).then({ kind: 'call', call: callUndo });
    undoing
      .when(answered('undo', { outcome: 'undone', reference: 'r' }, lookUp))
      .then({ kind: 'store', event: undone, reply: { type: 'undone', undone: true } });
    undoing
      .when(answered('undo', { outcome: 'pending' }, lookUp))
      .then(later('unavailable', 'the provider does not know yet what became of it'));
    undoing
      .when(answered('undo', { outcome: 'unknown' }, lookUp))
      .then({ kind: 'give up', why: 'it was done, and the provider now says unknown' });
    undoing
      .when(answered('undo', { outcome: 'refused', reason: 'no' }, lookUp))
      .then({ kind: 'give up', why: 'it was done, and the provider now says refused' });
  });
});

describe('a request that the provider refuses', () => {
  const refusal = new RequestRefused('POST /captures', 'malformed');
  const lookUpRefusal = { type: 'find', refusal, conclusive: true } as const;

  it('is looked up before it is believed, for it may be a repetition', () => {
    for (const goal of ['do', 'undo'] as const) {
      given(begun)
        .when(answered(goal, { outcome: 'request refused', refusal }))
        .then({ kind: 'call', call: lookUpRefusal });
    }
    given(begun)
      .when(answered('do', { outcome: 'unknown' }, lookUpRefusal))
      .then({ kind: 'store', event: { type: 'Refused', reason: 'malformed' }, reply: refusedReply('malformed') });
    given(begun)
      .when(answered('undo', { outcome: 'unknown' }, lookUpRefusal))
      .then({ kind: 'store', event: { type: 'Refused', reason: 'malformed' }, reply: nothingUndone });
    given(begun)
      .when(answered('undo', { outcome: 'done', reference: 'r' }, lookUpRefusal))
      .then({ kind: 'store', event: undoBegun });
  });

  it('to undo stays loud, unless its first try was done', () => {
    const undoing = given(begun, undoBegun);
    undoing.when(answered('undo', { outcome: 'request refused', refusal }, callUndo)).then({ kind: 'call', call: lookUpRefusal });
    undoing
      .when(answered('undo', { outcome: 'done', reference: 'r' }, lookUpRefusal))
      .then({ kind: 'give up', why: 'POST /captures: malformed', cause: refusal });
    undoing
      .when(answered('undo', { outcome: 'undone', reference: 'r' }, lookUpRefusal))
      .then({ kind: 'store', event: undone, reply: { type: 'undone', undone: true } });
  });
});

describe('whoever comes second', () => {
  const overtaken = (goal: EffectGoal, event: EffectEvent<Asked>): EffectInput<Asked> => ({ type: 'Overtaken', goal, event });

  it('reads again what an effect became, and answers from it', () => {
    given().when(overtaken('do', begun)).then({ kind: 'read again', event: begun });
    given().when({ type: 'Reread', event: begun }).then(later('conflict', 'its record vanished while it was read'));
    given(begun).when({ type: 'Reread', event: begun }).then({ kind: 'drive' });
    given(begun, done)
      .when({ type: 'Reread', event: begun })
      .then({ kind: 'answer again', reply: { type: 'done', reference: 'r' } });
  });

  it('is superseded, unless what was done is recorded as never done', () => {
    given(begun).when(overtaken('do', done)).then({ kind: 'read again', event: done });
    given(begun, undoBegun).when({ type: 'Reread', event: done }).then({ kind: 'end', outcome: 'superseded' });
    given().when({ type: 'Reread', event: done }).then({ kind: 'end', outcome: 'superseded' });
    given(begun, refused)
      .when({ type: 'Reread', event: done })
      .then({ kind: 'give up', why: 'the provider did it, and it is recorded as REFUSED: no' });
    given(voided)
      .when({ type: 'Reread', event: done })
      .then({ kind: 'give up', why: `the provider did it, and it is recorded as VOIDED: ${voidedReason}` });
    given(begun).when(overtaken('do', refused)).then({ kind: 'end', outcome: 'superseded' });
    given(begun, undoBegun).when(overtaken('undo', undone)).then({ kind: 'end', outcome: 'superseded' });
  });

  it('waits where both changed one intent', () => {
    given(begun)
      .when(overtaken('do', { type: 'Renewed' }))
      .then(later('conflict', 'the intent changed while it was renewed'));
    given(begun).when(overtaken('undo', refused)).then(later('conflict', 'the effect changed while it was undone'));
    given(begun).when(overtaken('undo', undoBegun)).then(later('conflict', 'the effect changed while it was undone'));
    given().when(overtaken('undo', voided)).then(later('conflict', 'an effect began while its undo was recorded'));
  });
});

describe('a damaged record', () => {
  it('is a person’s to mend', () => {
    inState({ status: 'doing', startedAt: now }).when(drive('do')).then({ kind: 'give up', why: 'an intent lacks its request' });
    inState({ status: 'undoing', reference: 'r', startedAt: now })
      .when({ type: 'Stored', goal: 'undo', event: undoBegun })
      .then({ kind: 'give up', why: 'the record of what was done lacks its request' });
  });
});

function answered(
  goal: EffectGoal,
  answer: Extract<EffectInput<Asked>, { type: 'Answered' }>['answer'],
  call: Extract<EffectInput<Asked>, { type: 'Answered' }>['call'] = perform,
): EffectInput<Asked> {
  return { type: 'Answered', goal, call, answer };
}

function refusedReply(reason: string) {
  return { type: 'refused', reason } as const;
}

function later(reason: 'unavailable' | 'conflict', why: string) {
  return { kind: 'retry later', reason, why } as const;
}
