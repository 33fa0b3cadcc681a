/**
 * For state machines that are a pure `decide` and `evolve`: given a state, when inputs arrive one after the other, these decisions are made and this is the state then.
 *
 * @example
 * const { decisions, state } = given(account, empty).when(open, deposit(5));
 */
export interface Decider<State, Input, Decision> {
  /** What is to happen. Pure: time and ids come with the input. */
  readonly decide: (state: State, input: Input) => Decision;
  /** The state after a decision; the same state for one that changes nothing. */
  readonly evolve: (state: State, decision: Decision) => State;
}

/** What a scenario came to. */
export interface Outcome<State, Decision> {
  readonly decisions: readonly Decision[];
  readonly state: State;
}

export function given<State, Input, Decision>({ decide, evolve }: Decider<State, Input, Decision>, state: State) {
  return {
    when: (...inputs: readonly Input[]): Outcome<State, Decision> =>
      inputs.reduce<Outcome<State, Decision>>(
        ({ decisions, state: before }, input) => {
          const decision = decide(before, input);
          return { decisions: [...decisions, decision], state: evolve(before, decision) };
        },
        { decisions: [], state },
      ),
  };
}
