import { describe, expect, it } from 'vitest';
import { deciderSpecification } from '../src/decider.ts';

type State = 'open' | 'closed';
const door = deciderSpecification<State, 'open' | 'close', string, State>({
  decide: (state, input) => (input === 'open' && state === 'open' ? 'ignored' : input),
  evolve: (_state, event) => event,
});

describe('the specification of a decider', () => {
  it('holds what is decided in a state', () => {
    door.given('closed').when('open').then('open');
    door.given('closed', 'open').when('open').then('ignored');
    door.given().when('close').then('close');
    door.given('closed').is('closed');
    door.inState('open').is('open');
  });

  it('fails for what is not so', () => {
    expect(() => door.given('open').when('open').then('open')).toThrow();
    expect(() => door.given('open').is('closed')).toThrow();
  });
});
