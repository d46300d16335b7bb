import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type ByteAccount, noAccount } from './byte-account.js';
import { DecompressionTurns } from './decompression-turns.js';
import { WorkMeter } from './work-meter.js';

const maxBytes = 1_048_576;

function alwaysHeavy(): WorkMeter {
  const meter = new WorkMeter();
  meter.isHeavy = () => true;
  return meter;
}

/** Work that ends when it is told to. */
function works(turns: DecompressionTurns) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const begin = (connection: string, name: string, account: ByteAccount = noAccount): Promise<string> =>
    turns.run(
      { connection, account, maxBytes },
      async () => {
        begun.push(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        ends.set(name, resolve);
        await promise;
        return Buffer.from(name);
      },
      (outcome) => outcome.toString(),
    );
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    // The next begins within a few turns of the microtask queue.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, begin, end };
}

describe('DecompressionTurns', () => {
  it('has two messages of a connection decompressed at a time, and four of all', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin } = works(turns);

    for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'd1']) void begin(name.charAt(0), name);

    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
    expect(turns.running).toBe(4);
  });

  it('serves connections in turn, however many one has', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin, end } = works(turns);
    const results = [
      ...Array.from({ length: 50 }, (_, index) => begin('a', `a${index}`)),
      ...['b0', 'b1', 'c0', 'c1', 'c2'].map((name) => begin(name.charAt(0), name)),
    ];

    for (let done = 0; done < begun.length; done++) await end(begun[done] as string);

    expect(begun.slice(0, 8)).toEqual(['a0', 'a1', 'b0', 'b1', 'a2', 'c0', 'a3', 'c1']);
    expect(await Promise.all(results)).toHaveLength(55);
    expect(turns.running).toBe(0);
  });

  it('goes on after work that fails', async () => {
    const turns = new DecompressionTurns();
    const a = { connection: 'a', account: noAccount, maxBytes };
    const length = (outcome: Uint8Array): number => outcome.length;
    const failing = Array.from({ length: 6 }, () => turns.run(a, () => Promise.reject(new Error('not gzip')), length));

    for (const each of failing) await expect(each).rejects.toThrow('not gzip');
    expect(await turns.run(a, () => Promise.resolve(Buffer.alloc(1)), length)).toBe(1);
    expect(turns.running).toBe(0);
  });

  it('leaves processors to others, where the peer takes much, and has those of light peers go first', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin, end } = works(turns);
    const peerWork = alwaysHeavy();
    const most = Math.min(3, Math.ceil(availableParallelism() / 2));
    const heavy = ['a0', 'b0', 'c0', 'd0', 'e0', 'f0'];
    const light = ['u0', 'v0', 'w0', 'x0', 'y0'];

    for (const name of heavy) void begin(name.charAt(0), name, { ...noAccount, peerWork });
    await end('');
    expect(begun).toEqual(heavy.slice(0, most));

    for (const name of light) void begin(name.charAt(0), name);
    await end('');
    expect(begun.slice(most)).toEqual(light.slice(0, 4 - most));

    // A light one waits, and there is room for either.
    await end(heavy[0] as string);
    await expect.poll(() => begun.at(-1), { interval: 5 }).toBe(light[4 - most]);

    for (let done = 1; done < heavy.length + light.length; done += 1) {
      // On a busy machine a heavy one may have to wait for its turn.
      await expect.poll(() => begun.length, { interval: 5 }).toBeGreaterThan(done);
      await end(begun[done] as string);
    }
    await expect.poll(() => turns.running, { interval: 5 }).toBe(0);
    expect(begun).toHaveLength(11);
  });

  it('has a peer that takes much go on beside light ones that are always there', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin, end } = works(turns);
    for (const name of ['u0', 'v0', 'w0']) void begin(name.charAt(0), name);
    const peerWork = alwaysHeavy();

    void begin('a', 'a0', { ...noAccount, peerWork });
    await end('');

    expect(begun).toEqual(['u0', 'v0', 'w0', 'a0']);
    for (const name of begun) await end(name);
  });

  it.each([
    ['a large message', () => Promise.resolve(Buffer.alloc(maxBytes))],
    ['one that turns out to be wrong', () => Promise.reject(new Error('not gzip'))],
  ])('charges the peer for the time that %s takes, but not for what others take', async (_what, outcome) => {
    const turns = new DecompressionTurns();
    const owner = (bytes: number) => ({
      connection: 'a',
      account: { ...noAccount, peerWork: new WorkMeter() },
      maxBytes: bytes,
    });
    const slow = async (): Promise<Buffer> => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return outcome();
    };
    const isHeavyAfter = async (of: ReturnType<typeof owner>, unpack: () => Promise<Buffer>): Promise<boolean> => {
      await turns.run(of, unpack, () => 0).catch(() => 0);
      return of.account.peerWork.isHeavy(performance.now());
    };

    // 5 ms for each MiB.
    expect(await isHeavyAfter(owner(maxBytes), slow)).toBe(false);
    const often = owner(maxBytes);
    for (let count = 0; count < 5; count += 1) await isHeavyAfter(often, slow);
    expect(often.account.peerWork.isHeavy(performance.now())).toBe(false);
    const many = owner(maxBytes);
    await Promise.all(Array.from({ length: 8 }, () => isHeavyAfter(many, slow)));
    expect(many.account.peerWork.isHeavy(performance.now())).toBe(true);
  });
});
