import { describe, expect, it } from 'vitest';
import { noAccount, WorkMeter } from '../wire/index.js';
import { type FlowOwner, ResponseFlow } from './response-flow.js';
import type { RestStream } from './rest-stream.js';

const piece = Buffer.alloc(65_536);
const line = Buffer.alloc(300);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A response of a peer that takes much or little, whose client takes what is written or does not. */
function response({ isHeavy = false, takes = true } = {}) {
  const peerWork = new WorkMeter();
  peerWork.isHeavy = () => isHeavy;
  const stream = { account: { ...noAccount, peerWork }, isClosed: false, takes, write: () => stream.takes };
  const told: unknown[] = [];
  const owner: FlowOwner = {
    stream: stream as unknown as RestStream,
    onReady: () => told.push('ready'),
    onFailed: (error) => told.push(error),
  };
  return { stream, told, owner, flow: new ResponseFlow(owner) };
}

describe('a response in parts', () => {
  it('goes on at once, while the client takes what is written and the peer takes little', async () => {
    const { flow, told } = response();

    expect([flow.write(piece, undefined), flow.isBehind]).toEqual([true, false]);
    await turn();

    expect(told).toEqual([]);
  });

  it('goes on when the client does', () => {
    const { flow, told, stream } = response({ takes: false });
    const written: unknown[] = [];

    expect(flow.write(piece, (error) => written.push(error))).toBe(false);
    expect([flow.isBehind, written]).toEqual([true, []]);
    stream.takes = true;
    flow.onDrain();

    expect([told, written, flow.isBehind]).toEqual([['ready'], [undefined], false]);
  });

  it('goes on in a later turn, where the peer takes much', async () => {
    const { flow, told } = response({ isHeavy: true });

    expect([flow.write(piece, undefined), flow.isBehind]).toEqual([false, true]);
    expect(told).toEqual([]);
    await expect.poll(() => told).toEqual(['ready']);

    expect(flow.isBehind).toBe(false);
  });

  it('goes on at once with single lines, until they are as much as a piece of a file', () => {
    const { flow } = response({ isHeavy: true });
    let lines = 0;
    // The time of a turn may be over before that, on a busy machine.
    for (let attempt = 0; attempt < 5 && lines < 200; attempt += 1) {
      const another = attempt === 0 ? flow : response({ isHeavy: true }).flow;
      for (lines = 1; another.write(line, undefined); lines += 1);
    }

    expect(lines).toBe(Math.ceil(piece.length / line.length));
  });

  it('waits for client and turn, where both are to be waited for', async () => {
    const { flow, told, stream } = response({ isHeavy: true });
    flow.write(piece, undefined);
    stream.takes = false;
    flow.write(piece, undefined);
    for (let count = 0; count < 100; count += 1) await turn();

    expect([told, flow.isBehind]).toEqual([[], true]);
    stream.takes = true;
    flow.onDrain();

    await expect.poll(() => told).toEqual(['ready']);
  });

  it('does not go on once its stream is closed, and says so', async () => {
    const { flow, told, stream } = response({ isHeavy: true });
    const written: unknown[] = [];
    const gone = new Error('gone');
    flow.write(piece, (error) => written.push(error));

    stream.isClosed = true;
    flow.close(gone);
    for (let count = 0; count < 100; count += 1) await turn();

    expect([told, written]).toEqual([[], [gone]]);
  });

  it('tells of pieces that were sent before its turn came, where it ends first', () => {
    const { flow } = response({ isHeavy: true });
    const written: unknown[] = [];
    flow.write(piece, (error) => written.push(error));

    flow.close();

    expect(written).toEqual([undefined]);
  });

  it('hands on what its source throws in a later turn', async () => {
    const failure = new Error('source');
    const { flow, told, owner } = response({ isHeavy: true });
    owner.onReady = () => {
      throw failure;
    };

    flow.write(piece, undefined);

    await expect.poll(() => told).toEqual([failure]);
  });
});
