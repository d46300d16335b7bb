import { describe, expect, it } from 'vitest';
import {
  delay,
  lateness,
  ofHeavyPeer,
  rest,
  turn,
  untilDone,
  work,
  Worker,
} from '../../../test/support/turn-worker.js';
import { noAccount } from './byte-account.js';
import { inNextTurn } from './fair-turns.js';
import type { Waiting } from './peer-queue.js';
import { WorkMeter } from './work-meter.js';

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

    const lateMs = await lateness(light, 29);

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

  it('do not have the other connections of their peer rest with them', async () => {
    await rest();
    const peer = new WorkMeter();
    const heavy = Array.from({ length: 4 }, () => new Worker(10, peer));
    const light = new Worker(0.1, peer);
    light.bring(1);
    for (const worker of heavy) worker.bring(60);
    await delay(100);

    const lateMs = await lateness(light, 29);

    for (const { share } of [...heavy, light]) share.close();
    // Half of the time nobody works.
    expect(lateMs[10]).toBeLessThan(4);
  });
});

describe('connections of three ranks that all have much to do', () => {
  it.each([0.3, 3])(
    'go on, the last of them as well, where the second never end, in steps of %d ms',
    async (stepMs) => {
      await rest();
      const peer = new WorkMeter();
      const heavy = new Worker(3, peer);
      heavy.bring(400);
      await delay(60);
      let isOver = false;
      const account = { ...noAccount, peerWork: peer };
      const again = (): void => {
        work(stepMs);
        if (!isOver) inNextTurn({ onTurn: again }, account);
      };
      // A connection that takes little itself is heard of, again and again.
      const timer = setInterval(() => new Worker(0.01, peer).bring(1), 5);
      for (let count = 0; count < 8; count += 1) inNextTurn({ onTurn: again }, account);
      await delay(100);
      const before = heavy.done;
      await delay(500);

      isOver = true;
      clearInterval(timer);
      heavy.share.close();
      expect(heavy.done - before).toBeGreaterThan(3);
    },
  );

  it('go on where some that take little wait in each turn', async () => {
    await rest();
    const peer = new WorkMeter();
    const [heavy, middle] = [new Worker(3, peer), new Worker(0.05, peer)];
    heavy.bring(400);
    await delay(60);
    let isOver = false;
    const light: Waiting = {
      onTurn: () => {
        work(0.2);
        if (!isOver) inNextTurn(light, noAccount);
      },
    };
    // One alone is called and gone before the rank of the next turn is chosen.
    for (let count = 0; count < 100; count += 1) inNextTurn({ onTurn: () => light.onTurn() }, noAccount);
    const timer = setInterval(() => middle.bring(1), 1);
    const before = heavy.done;
    await delay(1000);

    isOver = true;
    clearInterval(timer);
    for (const { share } of [heavy, middle]) share.close();
    expect(heavy.done - before).toBeGreaterThan(3);
    expect(middle.done).toBeGreaterThan(3);
  });

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

describe('a peer with a single connection', () => {
  it('waits for one step of another with hundreds, not for all of them', async () => {
    await rest();
    const [many, one] = [ofHeavyPeer(), ofHeavyPeer()];
    const order: string[] = [];
    const onTurn = (): void => {
      order.push('many');
      work(0.3);
    };
    for (let count = 0; count < 300; count += 1) inNextTurn({ onTurn }, many);
    for (let count = 0; count < 2; count += 1) await turn();
    const before = order.length;

    inNextTurn({ onTurn: () => order.push('one') }, one);
    while (order.length < 301) await turn();

    expect(order.indexOf('one') - before).toBeLessThan(3);
  });
});
