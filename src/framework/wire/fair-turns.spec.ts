import { describe, expect, it } from 'vitest';
import { type ByteAccount, noAccount } from './byte-account.js';
import { chargeWork, heavyTurn, inNextTurn, TurnShare, whenDue } from './fair-turns.js';
import { atTurnEnd } from './turn-end.js';
import type { Waiting } from './turn-queue.js';
import { WorkMeter } from './work-meter.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** A connection of a peer whose steps take `ms` each. */
class Worker implements Waiting {
  readonly share: TurnShare;
  readonly #ms: number;
  #steps = 0;
  done = 0;

  constructor(ms: number, peerWork: WorkMeter = new WorkMeter()) {
    this.#ms = ms;
    this.share = new TurnShare(this, { ...noAccount, peerWork });
  }

  /** So many steps have come. */
  bring(steps: number): void {
    this.#steps += steps;
    this.onTurn();
  }

  onTurn(): void {
    while (this.#steps > 0 && this.share.mayGoOn()) {
      this.#steps -= 1;
      this.done += 1;
      work(this.#ms);
    }
  }
}

/** Until it has made that many steps. */
async function untilDone(worker: Worker, steps: number): Promise<void> {
  while (worker.done < steps) await turn();
}

/** Lets what was heard before be forgotten. */
const rest = (): Promise<void> => delay(350);

/** Of a peer that has taken all of the time. */
function ofHeavyPeer(): ByteAccount {
  const peerWork = new WorkMeter();
  peerWork.charge(100, performance.now());
  return { ...noAccount, peerWork };
}

describe('a connection with much to do', () => {
  it('stops when the turn is over, and goes on in later ones until all is done', async () => {
    await rest();
    const inOneGo: number[] = [];
    // A machine that stands still for a moment takes the time of the turn too.
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const worker = new Worker(0.2);
      worker.bring(200);
      inOneGo.push(worker.done);
      await untilDone(worker, 200);
    }

    expect(Math.max(...inOneGo)).toBeGreaterThan(1);
    expect(Math.max(...inOneGo)).toBeLessThan(20);
  });

  it('is not called any more once it is closed', async () => {
    await rest();
    const worker = new Worker(0.2);
    worker.bring(200);
    const { done } = worker;

    worker.share.close();
    for (let count = 0; count < 5; count += 1) await turn();

    expect(done).toBeGreaterThan(0);
    expect(worker.done).toBe(done);
  });

  it('shares the turns with connections like it, in any order of arrival', async () => {
    await rest();
    const workers = Array.from({ length: 4 }, () => new Worker(1));
    for (const worker of workers) worker.bring(150);

    await untilDone(workers[0] as Worker, 150);

    for (const { done } of workers) expect(done).toBeGreaterThan(75);
    await Promise.all(workers.map((worker) => untilDone(worker, 150)));
  });
});

describe('a connection of a peer that takes little', () => {
  /** Makes one step every few ms, and returns how often it had to wait for it. */
  async function visits(light: Worker, count: number): Promise<number> {
    let waited = 0;
    for (let visit = 0; visit < count; visit += 1) {
      const { done } = light;
      await delay(3);
      light.bring(1);
      if (light.done === done) waited += 1;
      await untilDone(light, done + 1);
    }
    return waited;
  }

  it('goes on at once, while others take all of the time', async () => {
    await rest();
    const heavy = Array.from({ length: 8 }, () => new Worker(4));
    const light = new Worker(0.1);
    await visits(light, 1);
    for (const worker of heavy) worker.bring(60);
    await delay(60);

    const waited = await visits(light, 40);

    expect(waited).toBe(0);
    expect(heavy.some(({ done }) => done < 60)).toBe(true);
    await Promise.all(heavy.map((worker) => untilDone(worker, 60)));
  });

  it('waits for one step of those that take much, not for one of each', async () => {
    await rest();
    const heavy = Array.from({ length: 12 }, () => new Worker(4));
    const light = new Worker(0.1);
    await visits(light, 1);
    for (const worker of heavy) worker.bring(40);
    await delay(100);

    const lateMs: number[] = [];
    for (let visit = 2; visit <= 30; visit += 1) {
      const dueMs = performance.now() + 3;
      await delay(3);
      light.bring(1);
      await untilDone(light, visit);
      lateMs.push(performance.now() - dueMs);
    }

    lateMs.sort((a, b) => a - b);
    // Of twelve it would be 48 ms.
    expect(lateMs[Math.floor(lateMs.length / 2)]).toBeLessThan(16);
    await Promise.all(heavy.map((worker) => untilDone(worker, 40)));
  });

  it('is told from the other connections of its peer, where these take much', async () => {
    await rest();
    const peer = new WorkMeter();
    const heavy = Array.from({ length: 4 }, () => new Worker(4, peer));
    const light = new Worker(0.1, peer);
    await visits(light, 1);
    for (const worker of heavy) worker.bring(60);
    await delay(100);

    const done = (): number => heavy.reduce((sum, worker) => sum + worker.done, 0);
    const before = done();
    await visits(light, 20);

    // Some 3 ms each, in which others begin one step, and the turn that it may have to wait for.
    expect(done() - before).toBeLessThan(20 * 4);
    await Promise.all(heavy.map((worker) => untilDone(worker, 60)));
  });

  it('does not keep those that take much from ever going on', async () => {
    await rest();
    const heavy = new Worker(3);
    heavy.bring(40);
    await delay(60);
    const light = Array.from({ length: 30 }, () => new Worker(0.05));
    const timer = setInterval(() => {
      for (const worker of light) worker.bring(1);
    }, 1);

    await untilDone(heavy, 40);

    clearInterval(timer);
    for (const { share } of light) share.close();
    expect(heavy.done).toBe(40);
  });
});

describe('those that take much', () => {
  /** How many steps of 4 ms are made within 400 ms, while somebody else has something to do every `lightMs`. */
  async function stepsBeside(lightMs: number): Promise<number> {
    await rest();
    const heavy = Array.from({ length: 4 }, () => new Worker(4));
    const light = new Worker(0.01);
    for (const worker of heavy) worker.bring(200);
    await delay(100);
    const done = (): number => heavy.reduce((sum, worker) => sum + worker.done, 0);
    const timer = setInterval(() => light.bring(1), lightMs);
    await delay(20);
    const before = done();
    await delay(400);
    clearInterval(timer);
    for (const { share } of [...heavy, light]) share.close();
    return done() - before;
  }

  it('rest as long as they have worked, while others are there', async () => {
    const steps = await stepsBeside(20);

    // Of a hundred that there would be time for.
    expect(steps).toBeLessThan(75);
    expect(steps).toBeGreaterThan(5);
  });

  it('have two thirds of the time, where their steps are short', async () => {
    await rest();
    const worker = new Worker(0.3);
    const light = new Worker(0.01);
    worker.bring(100_000);
    await delay(100);
    const timer = setInterval(() => light.bring(1), 5);
    await delay(50);
    let idleMs = 0;
    const beganAtMs = performance.now();
    while (performance.now() - beganAtMs < 400) {
      const [{ done }, sinceMs] = [worker, performance.now()];
      await turn();
      if (worker.done === done) idleMs += performance.now() - sinceMs;
    }

    clearInterval(timer);
    for (const { share } of [worker, light]) share.close();
    expect(idleMs / (performance.now() - beganAtMs)).toBeLessThan(0.45);
    expect(idleMs).toBeGreaterThan(20);
  });

  it('do not rest for what they were themselves, before they took much', async () => {
    await rest();
    const worker = new Worker(4);
    worker.bring(25);
    let turns = 0;

    for (; worker.done < 25; turns += 1) await turn();

    // A rest is thousands of them.
    expect(turns).toBeLessThan(250);
  });

  it('rest for what was done elsewhere as well, but no longer than 20 ms', async () => {
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

  it('do not have the other connections of their peer rest with them', async () => {
    await rest();
    const peer = new WorkMeter();
    const heavy = Array.from({ length: 4 }, () => new Worker(10, peer));
    const light = new Worker(0.1, peer);
    light.bring(1);
    for (const worker of heavy) worker.bring(60);
    await delay(100);

    const lateMs: number[] = [];
    for (let visit = 2; visit <= 30; visit += 1) {
      const dueMs = performance.now() + 3;
      await delay(3);
      light.bring(1);
      await untilDone(light, visit);
      lateMs.push(performance.now() - dueMs);
    }

    for (const { share } of [...heavy, light]) share.close();
    lateMs.sort((x, y) => x - y);
    // Half of the time nobody works.
    expect(lateMs[10]).toBeLessThan(4);
  });
});

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

describe('connections of three ranks that all have much to do', () => {
  it.each([3, 10])('all go on, with steps of %d ms', async (heavyMs) => {
    await rest();
    const peer = new WorkMeter();
    const [heavy, middle] = [new Worker(heavyMs, peer), new Worker(0.05, peer)];
    heavy.bring(400);
    await delay(60);
    const light = Array.from({ length: 20 }, () => new Worker(2));
    const timer = setInterval(() => {
      for (const worker of light) worker.bring(1);
      middle.bring(1);
    }, 1);
    await delay(1500);

    clearInterval(timer);
    for (const { share } of [heavy, middle, ...light]) share.close();
    expect(heavy.done).toBeGreaterThan(5);
    expect(middle.done).toBeGreaterThan(5);
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
