import { setImmediate as turnEnd } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { noAccount } from './byte-account.js';
import { endWork, TurnShare } from './fair-turns.js';
import { readClock, stepClock } from './read-clock.js';

function workFor(ms: number): void {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
}

describe('stepClock', () => {
  it('stands still while a connection makes a step, and for no longer', async () => {
    const share = new TurnShare({ onTurn: () => {} }, noAccount);

    await turnEnd();
    share.mayGoOn();
    const began = stepClock();
    workFor(0.2);
    const within = stepClock();
    await turnEnd();
    share.mayGoOn();
    const next = stepClock();
    await turnEnd();
    const afterwards = [readClock(), stepClock(), readClock()];
    share.close();

    expect(within).toBe(began);
    expect(next).toBeGreaterThanOrEqual(began + 0.2);
    expect(afterwards).toEqual(afterwards.toSorted((a, b) => a - b));
  });

  it('goes on where the work is no step of a connection any more', async () => {
    const share = new TurnShare({ onTurn: () => {} }, noAccount);

    await turnEnd();
    share.mayGoOn();
    const began = stepClock();
    endWork();
    workFor(0.2);
    const then = stepClock();
    share.close();

    expect(then).toBeGreaterThanOrEqual(began + 0.2);
  });
});
