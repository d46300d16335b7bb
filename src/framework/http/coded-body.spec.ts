import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describe, expect, it, vi } from 'vitest';
import { Deadline, DeadlineExceededError } from '../core/index.js';
import { decompressionTurns, noAccount } from '../wire/index.js';
import { decodeBody } from './coded-body.js';
import { type Exchange, keepExchange } from './exchange.js';

const maxBytes = 1024;

/** Begins to decode the body of a request, and gives what comes of it. */
function begin(deadline: Deadline) {
  const raw = {};
  const exchange = { context: { deadline }, gate: { keep: () => undefined } };
  keepExchange(raw, exchange as unknown as Exchange);
  const request = { id: 'c', headers: { 'content-encoding': 'gzip' }, raw, is404: false } as unknown as FastifyRequest;
  const done = vi.fn<Parameters<typeof decodeBody>[4]>();
  decodeBody(request, {} as FastifyReply, Readable.from([gzipSync('plain')]), maxBytes, done);
  return { done, headers: request.headers };
}

/** Takes all turns of the connection. */
function holdTurns() {
  const held = [0, 1].map(() => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const turn = decompressionTurns.run(
      { connection: 'c', account: noAccount, maxBytes },
      () => promise,
      () => {},
    );
    return { turn, resolve };
  });
  return async (): Promise<void> => {
    for (const { resolve } of held) resolve(new Uint8Array());
    await Promise.all(held.map(({ turn }) => turn));
  };
}

describe('a body that waits for its turn to be decoded', () => {
  it('is given up when the time of its request is over, at once', async () => {
    const releaseTurns = holdTurns();
    const { done } = begin(new Deadline(20));

    await vi.waitFor(() => expect(done).toHaveBeenCalled());
    await releaseTurns();
    await vi.waitFor(() => expect(decompressionTurns.running).toBe(0));

    expect(done.mock.calls).toEqual([[expect.any(DeadlineExceededError)]]);
  });

  it('is decoded when the turn comes in time', async () => {
    const releaseTurns = holdTurns();
    const { done, headers } = begin(new Deadline(60_000));

    await new Promise(setImmediate);
    expect(done).not.toHaveBeenCalled();
    await releaseTurns();
    await vi.waitFor(() => expect(done).toHaveBeenCalled());

    const [error, payload] = done.mock.calls[0] as [null, Readable];
    expect(error).toBeNull();
    expect(Buffer.concat(await payload.toArray()).toString()).toBe('plain');
    expect(headers).toEqual({ 'content-length': '5' });
  });
});
