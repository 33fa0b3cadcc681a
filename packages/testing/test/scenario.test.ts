import { expect, it } from 'vitest';
import { given, type Decider } from '../src/scenario.ts';

type Input = { readonly type: 'open' } | { readonly type: 'deposit'; readonly amount: number };
interface Account {
  readonly open: boolean;
  readonly balance: number;
}
const account: Decider<Account, Input, string> = {
  decide: (state, input) => {
    if (input.type === 'open') return state.open ? 'ignored' : 'opened';
    return state.open ? `deposited ${input.amount}` : 'refused';
  },
  evolve: (state, decision) => {
    if (decision === 'opened') return { ...state, open: true };
    const amount = /^deposited (\d+)$/.exec(decision)?.[1];
    return amount === undefined ? state : { ...state, balance: state.balance + Number(amount) };
  },
};

it('plays inputs one after the other, each on what the one before left', () => {
  const deposit = (amount: number): Input => ({ type: 'deposit', amount });
  const closed: Account = { open: false, balance: 0 };
  expect(given(account, closed).when(deposit(1), { type: 'open' }, deposit(2), deposit(3), { type: 'open' })).toEqual({
    decisions: ['refused', 'opened', 'deposited 2', 'deposited 3', 'ignored'],
    state: { open: true, balance: 5 },
  });
  expect(given(account, closed).when()).toEqual({ decisions: [], state: closed });
});
