import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { clientPreface } from './frame.js';
import { FrameReader } from './frame-reader.js';
import { Http2ConnectionError } from './http2.errors.js';
import { frame, type RawFrame } from '../../../test/support/raw-http2-client.js';

const maxFrameBytes = 16_384;

/** What a reader makes of chunks, and the code that it ended with. */
function read(chunks: readonly Buffer[]): { frames: RawFrame[]; code: number | undefined } {
  const frames: RawFrame[] = [];
  const onFrame = (type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void => {
    frames.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(start, end)) });
  };
  const reader = new FrameReader({ onFrame }, maxFrameBytes);
  try {
    for (const chunk of chunks) reader.push(chunk);
  } catch (error) {
    if (!(error instanceof Http2ConnectionError)) throw error;
    return { frames, code: error.code };
  }
  return { frames, code: undefined };
}

function split(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    // A copy, as each read of a socket has memory of its own.
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return chunks;
}

const anyFrame = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  streamId: fc.nat(0x7fff_ffff),
  payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 5000 })),
});
const anySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4000 })), {
  minLength: 1,
  maxLength: 20,
});

describe('FrameReader', () => {
  it('finds the same frames however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 12 }), anySizes, (sent, sizes) => {
        const bytes = Buffer.concat([clientPreface, ...sent.map((f) => frame(f.type, f.flags, f.streamId, f.payload))]);

        const { frames, code } = read(split(bytes, sizes));

        expect(code).toBeUndefined();
        expect(frames).toEqual(sent.map((f) => ({ ...f, payload: Buffer.from(f.payload) })));
      }),
      { numRuns: 500 },
    );
  });

  it('comes to the same end on any bytes however they are split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), anySizes, (random, withPreface, sizes) => {
        const bytes = withPreface ? Buffer.concat([clientPreface, random]) : Buffer.from(random);

        expect(read(split(bytes, sizes))).toEqual(read([bytes]));
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a frame above the limit by its header alone', () => {
    const header = frame(0, 0, 1, Buffer.alloc(maxFrameBytes + 1)).subarray(0, 9);

    expect(read([clientPreface, header.subarray(0, 3), header.subarray(3)]).code).toBe(ErrorCode.frameSizeError);
    expect(read([clientPreface, frame(0, 0, 1, Buffer.alloc(maxFrameBytes))]).code).toBeUndefined();
  });

  it('refuses a connection that does not begin as HTTP/2', () => {
    expect(read([Buffer.from('GET / HTTP/1.1\r\n')]).code).toBe(ErrorCode.protocolError);
    expect(read([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r!')]).code).toBe(ErrorCode.protocolError);
  });

  it('passes on where it lies what lies whole in a chunk', () => {
    const chunk = Buffer.concat([clientPreface, frame(0, 0, 1, Buffer.alloc(100))]);
    const seen: Buffer[] = [];
    const reader = new FrameReader({ onFrame: (_type, _flags, _id, bytes) => seen.push(bytes) }, maxFrameBytes);

    reader.push(chunk);

    expect(seen[0]).toBe(chunk);
  });

  it('passes nothing on after it has been stopped', () => {
    const seen: number[] = [];
    const reader = new FrameReader(
      {
        onFrame: (type) => {
          seen.push(type);
          reader.stop();
        },
      },
      maxFrameBytes,
    );

    reader.push(Buffer.concat([clientPreface, frame(1, 0, 1), frame(2, 0, 1), frame(3, 0, 1).subarray(0, 4)]));
    reader.push(Buffer.alloc(100));

    expect(seen).toEqual([1]);
  });

  it.each([
    [
      'a short body and the cancellation of a request that is begun',
      [frame(1, 0, 1), frame(0, 1, 1, Buffer.alloc(10)), frame(3, 0, 1)],
      3,
    ],
    ['no large body', [frame(1, 0, 1), frame(0, 1, 1, Buffer.alloc(5000))], 1],
    [
      'no second piece of a body',
      [frame(1, 0, 1), frame(0, 0, 1, Buffer.alloc(10)), frame(0, 1, 1, Buffer.alloc(10))],
      2,
    ],
    ['no other request', [frame(1, 0, 1), frame(1, 0, 3)], 1],
  ])('passes on, while it is the turn of others: %s', (_, frames, count) => {
    const seen: number[] = [];
    const reader = new FrameReader({ onFrame: (type) => seen.push(type) }, maxFrameBytes);
    reader.push(clientPreface);
    const chunk = Buffer.concat(frames);

    const taken = reader.push(chunk, () => false);

    expect(seen).toHaveLength(count);
    expect(taken).toBe(Buffer.concat(frames.slice(0, count)).length);
  });

  it('passes a short body on with the headers that it follows, where these came in two pieces', () => {
    const seen: number[] = [];
    const reader = new FrameReader({ onFrame: (type) => seen.push(type) }, maxFrameBytes);
    reader.push(clientPreface);
    const chunk = Buffer.concat([frame(1, 0, 1, Buffer.alloc(20)), frame(0, 1, 1, Buffer.alloc(10))]);

    reader.push(chunk.subarray(0, 15), () => false);
    reader.push(chunk.subarray(15), () => false);

    expect(seen).toEqual([1, 0]);
  });
});
