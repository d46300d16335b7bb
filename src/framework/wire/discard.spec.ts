import { describe, expect, it } from 'vitest';
import { noAccount } from './byte-account.js';
import { Discard } from './discard.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function source() {
  return {
    isPaused: false,
    pause() {
      this.isPaused = true;
    },
    resume() {
      this.isPaused = false;
    },
  };
}

describe('Discard', () => {
  it('takes one piece in each turn', async () => {
    const from = source();
    const discard = new Discard(from, noAccount, 4_194_304);

    discard.add(65_536);
    const isHeld = [from.isPaused];
    // What had been read of the socket by then.
    discard.add(65_536);
    isHeld.push(from.isPaused);
    for (let count = 0; count < 3; count += 1) await turn();
    isHeld.push(from.isPaused);
    discard.add(65_536);
    isHeld.push(from.isPaused);

    expect(isHeld).toEqual([true, true, false, true]);
  });

  it('takes no more than it may', async () => {
    const from = source();
    const discard = new Discard(from, noAccount, 4_194_304);

    discard.add(4_194_304);
    for (let count = 0; count < 3; count += 1) await turn();
    const isHeldBefore = from.isPaused;
    discard.add(1);
    for (let count = 0; count < 3; count += 1) await turn();

    expect([isHeldBefore, from.isPaused]).toEqual([false, true]);
  });
});
