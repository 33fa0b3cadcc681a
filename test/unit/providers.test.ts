import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assertOrderDurations } from '../../lambdas/contract/durations.ts';
import { stageNames } from '../../lambdas/contract/stage-names.ts';
import { durations } from '../../lambdas/contract/stages.ts';

const contract = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');

describe('the contract with providers', () => {
  it.each(stageNames)('demands that keys are kept for as long as stage %s relies on them', (stage) => {
    const hours = Number(/for at least (\d+) hours \(`providerKeySeconds`\)/.exec(contract)?.[1]);
    expect(durations[stage].providerKeySeconds).toBe(hours * 3600);
  });

  it('leaves a call time to end while its key is kept', () => {
    const tooShort = { ...durations.prod, providerKeySeconds: durations.prod.consumerTimeoutSeconds + 600 };
    expect(() => assertOrderDurations('x', tooShort)).toThrow(/providerKeySeconds/);
  });
});
