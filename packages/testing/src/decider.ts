import { expect } from 'vitest';

/** A pure state machine: what to do about an input, and what a state is after an event. */
interface Decider<State, Input, Decision, Event> {
  readonly decide: (state: State | undefined, input: Input) => Decision;
  readonly evolve: (state: State | undefined, event: Event) => State;
}

/** What an input is decided as. */
interface Outcome<Decision> {
  then(expected: Decision): void;
}

interface Given<State, Input, Decision> {
  /** Asserts the state itself. */
  is(expected: State | undefined): void;
  when(input: Input): Outcome<Decision>;
}

/**
 * Facts about a decider, told as given, when, then.
 *
 * @example
 * const door = deciderSpecification({ decide, evolve });
 * door.given({ type: 'Closed' }).when({ type: 'Open' }).then({ kind: 'store', event: { type: 'Opened' } });
 */
export function deciderSpecification<State, Input, Decision, Event>({ decide, evolve }: Decider<State, Input, Decision, Event>) {
  const inState = (state: State | undefined): Given<State, Input, Decision> => ({
    is: (expected) => expect(state).toEqual(expected),
    when: (input) => ({
      // oxlint-disable-next-line unicorn/no-thenable -- given, when, then are the field's words; awaited by mistake, it fails as an expectation
      then: (expected) => expect(decide(state, input)).toEqual(expected),
    }),
  });
  return {
    /** A state that came of these events, in their order; of none: nothing is known. */
    given: (...events: readonly Event[]) => inState(events.reduce<State | undefined>((state, event) => evolve(state, event), undefined)),
    /** A state as it is. */
    inState,
  };
}
