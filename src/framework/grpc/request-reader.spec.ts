import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { CancelledError } from '../core/index.js';
import { noAccount } from '../wire/index.js';
import { decode } from './request-reader.js';

/** A call with compressed messages, and what of them is decoded. */
function call() {
  const decoded: number[] = [];
  const format = {
    encoding: 'gzip',
    maxBytes: 1_000_000,
    isEnded: false,
    stream: { account: noAccount, peer: { address: '127.0.0.1', port: 1 } },
    method: {
      input: {
        decode: (bytes: Uint8Array) => {
          decoded.push(bytes.length);
          return {};
        },
      },
    },
  };
  const bytes = gzipSync(Buffer.alloc(100_000));
  const wire = { isCompressed: true, bytes, start: 0, end: bytes.length };
  return { bytes, decoded, format, read: () => decode(wire, format as never) };
}

it('decodes a message that was compressed', async () => {
  const { decoded, read } = call();

  await read();

  expect(decoded).toEqual([100_000]);
});

it('does not decode the message of a call that ends while it is decompressed', async () => {
  const { decoded, format, read } = call();
  const message = read();

  await turn();
  format.isEnded = true;

  await expect(message).rejects.toBeInstanceOf(CancelledError);
  expect(decoded).toEqual([]);
});

it('does not decompress the message of a call that has ended while it waited', async () => {
  const calls = Array.from({ length: 6 }, call);
  const messages = Promise.allSettled(calls.map(async ({ read }) => await read()));
  for (const { format } of calls) format.isEnded = true;
  // Two are being decompressed. This is what would be found wrong with the others.
  for (const { bytes } of calls.slice(2)) bytes.fill(0);

  for (const outcome of await messages) expect(outcome).toMatchObject({ reason: expect.any(CancelledError) });
});
