import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { malformed, wellFormed } from '../../../test/support/http1-corpus.js';
import { feed, type Outcome } from '../../../test/support/http1-wire.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const corpus = [...Object.values(wellFormed), ...Object.values(malformed).map(([, text]) => text)]
  // Long ones cost a hundred times as much, and have tests of their own.
  .filter((text) => text.length < 1000)
  .map(bytesOf);

const anySizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 });
const anyRequests = fc
  .array(fc.nat(), { minLength: 1, maxLength: 5 })
  .map((picks) => Buffer.concat(picks.map((pick) => corpus[pick % corpus.length] as Buffer)));
const anyMutations = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'insert')), {
  maxLength: 4,
});

function split(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return chunks;
}

function mutate(bytes: Buffer, mutations: readonly (readonly [at: number, value: number, how: string])[]): Buffer {
  let result = bytes;
  for (const [at, value, how] of mutations) {
    const place = result.length === 0 ? 0 : at % result.length;
    const behind = result.subarray(how === 'insert' ? place : place + 1);
    result = Buffer.concat([result.subarray(0, place), Buffer.from(how === 'cut' ? [] : [value]), behind]);
  }
  return result;
}

/** Whatever has come: whole requests are answered, one refusal at most, and nothing after it. `feed` throws what handlers hear of. */
function expectOrder({ requests, refusal, sent }: Outcome): void {
  const statuses = sent.match(/HTTP\/1\.1 \d{3} /g) ?? [];
  const whole = requests.filter(({ isWhole }) => isWhole).length;
  expect(statuses).toHaveLength(whole + (refusal === undefined ? 0 : 1));
  expect(whole).toBeGreaterThanOrEqual(requests.length - 1);
  expect(refusal === undefined || statuses.at(-1) !== 'HTTP/1.1 200 ').toBe(true);
  expect(sent.lastIndexOf('connection: close')).toBe(sent.indexOf('connection: close'));
}

describe('a connection that gets anything at all', () => {
  it('reads random bytes, or refuses them', { timeout: 30_000 }, async () => {
    const beginnings = [
      '',
      'GET / HTTP/1.1\r\nhost: a\r\n',
      'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n',
    ];
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...beginnings), async (random, beginning) => {
        expectOrder(await feed([Buffer.concat([bytesOf(beginning), random])]));
      }),
      { numRuns: 1000 },
    );
  });

  it('reads requests with mistakes, or refuses them', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyRequests, anyMutations, async (bytes, mutations) => {
        expectOrder(await feed([mutate(bytes, mutations)]));
      }),
      { numRuns: 1000 },
    );
  });

  it('says the same however the bytes are split', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyRequests, anyMutations, anySizes, async (requests, mutations, sizes) => {
        const bytes = mutate(requests, mutations);

        const whole = await feed([bytes]);
        const parts = await feed(split(bytes, sizes));

        expect(parts).toEqual(whole);
        expectOrder(parts);
      }),
      { numRuns: 800 },
    );
  });

  it.each(
    Object.entries({
      ...wellFormed,
      ...Object.fromEntries(Object.entries(malformed).map(([what, [, text]]) => [what, text])),
    }).filter(([, text]) => text.length < 1000),
  )('says the same of each byte alone: %s', async (_what, text) => {
    const whole = await feed([bytesOf(text)]);

    expect(await feed(split(bytesOf(text), [1]))).toEqual(whole);
  });
});
