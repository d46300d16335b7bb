import { describe, expect, it } from 'vitest';
import { ofHeavyPeer, rest, turn, work, Worker } from '../../../test/support/turn-worker.js';
import { noAccount } from './byte-account.js';
import { beginConnection, beginWork, chargeWork, endWork, heavyTurn, inNextTurn, whenDue } from './fair-turns.js';
import { atTurnEnd } from './turn-end.js';
import type { Waiting } from './peer-queue.js';
import { WorkMeter } from './work-meter.js';

describe('whenDue', () => {
  it('is at once for who takes little, and in a turn of its own for others', async () => {
    await rest();
    const calls: string[] = [];

    whenDue(ofHeavyPeer(), () => calls.push('heavy'));
    whenDue({ ...noAccount, peerWork: new WorkMeter() }, () => calls.push('light'));
    calls.push('arrived');
    for (let count = 0; count < 3; count += 1) await turn();

    expect(calls).toEqual(['light', 'arrived', 'heavy']);
  });
});

describe('inNextTurn', () => {
  it('calls once, after what has arrived in this turn', async () => {
    await rest();
    const calls: string[] = [];
    atTurnEnd({ onTurnEnd: () => calls.push('sent') });

    inNextTurn({ onTurn: () => calls.push('begun') }, noAccount);
    calls.push('arrived');
    for (let count = 0; count < 3; count += 1) await turn();

    expect(calls).toEqual(['arrived', 'sent', 'begun']);
  });

  it('calls no more of those that take long in one turn than have time', async () => {
    await rest();
    let called = 0;
    const member = (): Waiting => ({
      onTurn: () => {
        called += 1;
        work(5);
      },
    });

    for (let count = 0; count < 10; count += 1) inNextTurn(member(), noAccount);
    await turn();

    expect(called).toBeLessThan(3);
    while (called < 10) await turn();
  });
});

describe('heavyTurn', () => {
  it('is at once while no other connection is there, and has to be awaited when the turn is over', async () => {
    await rest();

    expect(heavyTurn(ofHeavyPeer())).toBeUndefined();
    work(6);
    const waited = heavyTurn(ofHeavyPeer());

    expect(waited).toBeInstanceOf(Promise);
    await waited;
  });

  it('comes after those that take little, who have theirs at once', async () => {
    await rest();
    const light = new Worker(0.1);
    light.bring(1);

    expect(heavyTurn(ofHeavyPeer())).toBeInstanceOf(Promise);
    expect(heavyTurn({ ...noAccount, peerWork: new WorkMeter() })).toBeUndefined();
  });
});

describe('chargeWork', () => {
  it('has those that take much rest as after steps, but no longer than 20 ms', async () => {
    const tookMs: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await rest();
      const light = new Worker(0.01);
      light.bring(1);
      const account = { ...noAccount, peerWork: new WorkMeter() };
      const beganAtMs = performance.now();
      chargeWork(account, 1000);
      await heavyTurn(account);
      tookMs.push(performance.now() - beganAtMs);
    }

    // Timers may come a millisecond early.
    expect(Math.min(...tookMs)).toBeGreaterThan(18);
    expect(Math.min(...tookMs)).toBeLessThan(100);
  });
});

describe('beginConnection', () => {
  /** How long one of a peer that takes much waits, where `each` is done in each turn of the event loop. */
  async function waitMs(each: () => void): Promise<number> {
    await rest();
    const sinceMs = performance.now();
    let calledAtMs = 0;
    inNextTurn({ onTurn: () => (calledAtMs = performance.now()) }, ofHeavyPeer());
    while (calledAtMs === 0) {
      each();
      await turn();
    }
    return calledAtMs - sinceMs;
  }

  it('has those that take much wait while there are more, but no longer than some 25 ms', async () => {
    const arrive = (): void => {
      beginConnection(noAccount);
      endWork();
    };

    expect(await waitMs(() => {})).toBeLessThan(20);
    expect(await waitMs(arrive)).toBeGreaterThan(24);
  });
});

describe('beginWork', () => {
  it('charges what its callback begins, in microtasks too, and not what follows, where some take much', async () => {
    await rest();
    const [own, other] = [new WorkMeter(), ofHeavyPeer()];
    const heavy = new Worker(0.1, other.peerWork);
    const both = (then: () => void): Promise<void> =>
      new Promise((resolve) => {
        setImmediate(() => {
          heavy.bring(1);
          beginWork({ ...noAccount, peerWork: own });
          then();
        });
        setImmediate(() => {
          work(30);
          // When that turn is over.
          setImmediate(resolve);
        });
      });

    await both(() => {});
    expect(own.isHeavy(performance.now())).toBe(false);

    await both(() => void Promise.resolve().then(() => Promise.resolve().then(() => work(30))));
    expect(own.isHeavy(performance.now())).toBe(true);
  });
});
