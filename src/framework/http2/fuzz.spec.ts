import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Http2Connection } from './connection.js';
import { ErrorCode } from './error-code.js';
import { clientPreface, Flag, frameHeaderBytes, FrameType, readUint32 } from './frame.js';
import { Http2ConnectionError } from './http2.errors.js';
import { http2ConnectionOptions } from './http2.options.js';
import type { Http2Stream } from './http2-stream.js';
import {
  BlockEncoder,
  frame,
  requestFields,
  setting,
  settings,
  uint32,
} from '../../../test/support/raw-http2-client.js';
import { echo } from '../../../test/support/raw-http2-server.js';

/** A socket without a network: what is written is kept. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];
  readonly remoteAddress = 'here';
  readonly remotePort = 1;
  setNoDelay(): void {}
  destroySoon(): void {
    this.destroy();
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The buffer is written into again.
    this.written.push(Buffer.from(chunk));
    done();
  }
}

interface Outcome {
  readonly sent: Buffer;
  readonly error: Http2ConnectionError | undefined;
  readonly opened: number;
  readonly closed: number;
  readonly left: number;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a connection makes of chunks, and then of the end of the socket. */
async function feed(chunks: readonly Buffer[]): Promise<Outcome> {
  const wire = new Wire();
  let error: Http2ConnectionError | undefined;
  let opened = 0;
  let closed = 0;
  const done = Promise.withResolvers<void>();
  const connection = new Http2Connection(wire as unknown as Socket, http2ConnectionOptions(), {
    onStream: (stream, head) => {
      opened += 1;
      echo(
        countClosed(stream, () => (closed += 1)),
        head,
      );
    },
    onClose: (reason) => {
      error = reason;
      done.resolve();
    },
    onError: (failure) => {
      throw failure;
    },
  });
  // In one turn, so that the same frames go out however the chunks are cut.
  for (const chunk of chunks) wire.emit('data', chunk);
  await turn();
  await turn();
  const sent = Buffer.concat(wire.written);
  wire.push(null);
  wire.resume();
  await turn();
  wire.destroy();
  await done.promise;
  return { sent, error, opened, closed, left: connection.streams };
}

function countClosed(stream: Http2Stream, count: () => void): Http2Stream {
  const listen = stream.listen.bind(stream);
  stream.listen = (listener) => {
    const { onClose } = listener;
    listener.onClose = (code) => {
      count();
      onClose.call(listener, code);
    };
    listen(listener);
  };
  return stream;
}

function split(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return chunks;
}

/** The last GOAWAY of what was sent. */
function goawayCode(sent: Buffer): number | undefined {
  let code: number | undefined;
  for (let at = 0; at + frameHeaderBytes <= sent.length; ) {
    const length = sent.readUIntBE(at, 3);
    if (sent[at + 3] === FrameType.goaway) code = readUint32(sent, at + frameHeaderBytes + 4);
    at += frameHeaderBytes + length;
    expect(at).toBeLessThanOrEqual(sent.length);
  }
  return code;
}

/** A session in which each frame type occurs, valid as far as the choices allow. */
function session(choices: readonly number[]): Buffer {
  const encoder = new BlockEncoder();
  const parts = [clientPreface, settings(setting(0x4, 100_000)), frame(FrameType.settings, Flag.ack, 0)];
  let next = 1;
  for (const choice of choices) {
    // One choice is split into parts that do not depend on each other.
    const kind = choice % 10;
    const end = Math.floor(choice / 10) & Flag.endStream;
    const value = Math.floor(choice / 20);
    const id = Math.max(1, next - 2 * (1 + (value % 4)));
    const length = Math.floor(value / 4) % 300;
    const kinds = [
      () => encoder.headers((next += 2) - 2, requestFields('/', { 'x-a': String(value % 50) }), end),
      () => frame(FrameType.data, end, id, Buffer.alloc(length, value)),
      () => encoder.headers(id, [{ name: 'x-trailer', value: String(value % 50) }]),
      () => frame(FrameType.windowUpdate, 0, end === 0 ? id : 0, uint32(1 + length)),
      () => frame(FrameType.ping, 0, 0, Buffer.alloc(8, value)),
      () => frame(FrameType.rstStream, 0, id, uint32(value % 14)),
      () => frame(FrameType.priority, 0, id, Buffer.alloc(5)),
      () => settings(setting(0x4, 1000 + length), setting(0x1, length)),
      () => frame(0x20 + (value % 100), value & 0xff, id, Buffer.alloc(length)),
      () => {
        const block = encoder.block(requestFields('/long', { 'x-b': String(value % 50) }));
        const half = block.length >> 1;
        const streamId = (next += 2) - 2;
        const first = frame(FrameType.headers, Flag.endStream, streamId, block.subarray(0, half));
        return Buffer.concat([first, frame(FrameType.continuation, Flag.endHeaders, streamId, block.subarray(half))]);
      },
    ];
    parts.push(kinds[kind]!());
  }
  return Buffer.concat(parts);
}

const anySizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 12 });
const anyChoices = fc.array(fc.nat(0xff_ffff), { maxLength: 30 });
const anyMutations = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'insert')), {
  maxLength: 6,
});
const knownCodes: readonly number[] = Object.values(ErrorCode).filter((code) => code !== ErrorCode.internalError);

function mutate(bytes: Buffer, mutations: readonly (readonly [at: number, value: number, how: string])[]): Buffer {
  let result = Buffer.from(bytes);
  for (const [at, value, how] of mutations) {
    const place = result.length === 0 ? 0 : at % result.length;
    if (how === 'set') result[place] = value;
    else if (how === 'cut')
      result = Buffer.concat([result.subarray(0, place), result.subarray(place + 1 + (value % 20))]);
    else
      result = Buffer.concat([
        result.subarray(0, place),
        Buffer.alloc(1 + (value % 20), value),
        result.subarray(place),
      ]);
  }
  return result;
}

/** Whatever has come: an end that a peer can understand, and nothing left behind. */
function expectEnd(outcome: Outcome): void {
  // Ours were the fault if it were INTERNAL_ERROR.
  expect([undefined, ...knownCodes], String(outcome.error?.cause)).toContain(outcome.error?.code);
  expect(goawayCode(outcome.sent)).toBe(outcome.error?.code);
  expect(outcome.closed).toBe(outcome.opened);
  expect(outcome.left).toBe(0);
}

describe('a connection that gets anything at all', () => {
  it('ends with a code of the protocol on random bytes', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), fc.nat(2), async (random, beginning) => {
        const beginnings = [[], [clientPreface], [clientPreface, settings()]];
        const bytes = Buffer.concat([...(beginnings[beginning] ?? []), random]);

        expectEnd(await feed([bytes]));
      }),
      { numRuns: 2000 },
    );
  });

  it('ends with a code of the protocol on frames with random content', { timeout: 30_000 }, async () => {
    const anyFrame = fc.tuple(fc.nat(10), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 60 }));
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 10 }), async (frames) => {
        const sent = frames.map(([type, flags, id, payload]) => frame(type, flags, id, payload));

        expectEnd(await feed([Buffer.concat([clientPreface, settings(), ...sent])]));
      }),
      { numRuns: 2000 },
    );
  });

  it('ends with a code of the protocol on sessions with mistakes', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyChoices, anyMutations, async (choices, mutations) => {
        expectEnd(await feed([mutate(session(choices), mutations)]));
      }),
      { numRuns: 2000 },
    );
  });

  it('says the same however the bytes are split', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyChoices, anyMutations, anySizes, async (choices, mutations, sizes) => {
        const bytes = mutate(session(choices), mutations);

        const whole = await feed([bytes]);
        const parts = await feed(split(bytes, sizes));

        expect(parts).toEqual(whole);
        expectEnd(parts);
      }),
      { numRuns: 1000 },
    );
  });
});
