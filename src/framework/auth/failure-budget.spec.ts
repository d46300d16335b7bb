import { describe, expect, it } from 'vitest';
import { constant, LiveValue } from '../core/index.js';
import {
  KeysUnavailableError,
  TokenExpiredError,
  TokenSignatureInvalidError,
  TooManyFailedTokensError,
} from './auth.errors.js';
import { FailureBudget } from './failure-budget.js';

const invalid = async (): Promise<never> => {
  await Promise.resolve();
  throw new TokenSignatureInvalidError();
};
const valid = async (): Promise<string> => {
  await Promise.resolve();
  return 'known';
};

/** Reasons of what `work` rejects with, and how often each. */
async function outcomes(work: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.allSettled(work)) {
    const name = result.status === 'fulfilled' ? 'valid' : (result.reason as { reason: string }).reason;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function budgetOf(burst: number, perSecond = 1): { budget: FailureBudget; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  return { clock, budget: new FailureBudget(constant({ burst, perSecond }), () => clock.nowMs) };
}

describe('FailureBudget', () => {
  it('checks as many invalid tokens as there may be, also where all come at once, and refuses the others unchecked', async () => {
    const { budget } = budgetOf(5);

    expect(await outcomes(Array.from({ length: 20 }, () => budget.run('10.0.0.1', invalid)))).toEqual({
      TOKEN_SIGNATURE_INVALID: 5,
      TOO_MANY_FAILED_TOKENS: 15,
    });
    expect([budget.failed, budget.refused]).toEqual([5, 15]);
  });

  it('checks every valid token, however many come at once, and remembers nothing of it', async () => {
    const { budget } = budgetOf(5);

    expect(await outcomes(Array.from({ length: 500 }, () => budget.run('10.0.0.1', valid)))).toEqual({ valid: 500 });
    expect([budget.failed, budget.refused, budget.size]).toEqual([0, 0, 0]);
  });

  it('fills up with time, and says when to come back', async () => {
    const { budget, clock } = budgetOf(2, 4);
    const twice = (): Promise<unknown>[] => [1, 2].map(() => budget.run('10.0.0.1', invalid));
    await outcomes(twice());

    clock.nowMs = 100;
    await expect(budget.run('10.0.0.1', valid)).rejects.toMatchObject({
      reason: 'TOO_MANY_FAILED_TOKENS',
      retryAfterMs: 150,
    });
    clock.nowMs = 250;
    expect(await outcomes(twice())).toEqual({ TOKEN_SIGNATURE_INVALID: 1, TOO_MANY_FAILED_TOKENS: 1 });
  });

  it('counts each peer for itself, an IPv6 network as one', async () => {
    const { budget } = budgetOf(1);
    await outcomes([budget.run('2001:db8::1', invalid)]);

    await expect(budget.run('2001:db8::2', valid)).rejects.toThrow(TooManyFailedTokensError);
    expect(await budget.run('2001:db8:1::1', valid)).toBe('known');
  });

  it('does not count tokens that were issued to their bearer, nor keys that are missing', async () => {
    const { budget } = budgetOf(1);
    const failing = (reason: Error) => async (): Promise<never> => {
      await Promise.resolve();
      throw reason;
    };

    for (const error of [new TokenExpiredError(), new KeysUnavailableError(1)])
      for (let sent = 0; sent < 5; sent += 1)
        await expect(budget.run('10.0.0.1', failing(error))).rejects.toThrow(error);
    expect(budget.failed).toBe(0);
  });

  it('counts what is no token at all', async () => {
    const { budget } = budgetOf(2);
    budget.note('10.0.0.1');
    budget.note('10.0.0.1');

    await expect(budget.run('10.0.0.1', valid)).rejects.toThrow(TooManyFailedTokensError);
  });

  it('follows its options, and is off with 0', async () => {
    const options = new LiveValue({ burst: 1, perSecond: 1 });
    const budget = new FailureBudget(options, () => 0);
    await outcomes([budget.run('10.0.0.1', invalid)]);
    await expect(budget.run('10.0.0.1', valid)).rejects.toThrow(TooManyFailedTokensError);

    options.publish({ burst: 0, perSecond: 1 });
    expect(await budget.run('10.0.0.1', valid)).toBe('known');
  });
});
