import { describe, expect, it } from 'vitest';
import { malformed, wellFormed } from '../../../test/support/http1-corpus.js';
import { feed } from '../../../test/support/http1-wire.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const next = bytesOf('GET /next HTTP/1.1\r\nhost: a\r\n\r\n');
const statuses: Record<string, number> = {
  malformed: 400,
  host: 400,
  repeated: 400,
  'headers-too-large': 431,
  'transfer-coding': 501,
  version: 505,
};

describe('a request', () => {
  it.each(Object.entries(wellFormed))('is served: %s', async (_what, text) => {
    const outcome = await feed([bytesOf(text)]);

    expect(outcome.refusal).toBeUndefined();
    expect(outcome.requests).toMatchObject([{ isWhole: true }]);
    expect(outcome.sent).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it.each(Object.entries(malformed))('is refused, and what is behind it not read: %s', async (_what, [kind, text]) => {
    const outcome = await feed([Buffer.concat([bytesOf(text), next])]);

    expect(outcome.refusal?.split(':', 1)).toEqual([kind]);
    expect(outcome.requests.filter(({ path, isWhole }) => path === '/next' || isWhole)).toEqual([]);
    expect(outcome.sent).toContain(`HTTP/1.1 ${statuses[kind]} `);
    expect(outcome.sent).toMatch(/connection: close\r\n\r\n$/);
  });
});
