import { describe, expect, it } from 'vitest';
import { PrecomputedAnswer } from './precomputed-answer.js';

const answer = await PrecomputedAnswer.of('x'.repeat(2000), { contentType: 'text/plain', cacheControl: 'no-store' });

/** What a request with these headers gets. */
function sent(fields: Record<string, string>): { status: number; coding: string | undefined } {
  const { status, headers } = answer.answerTo(fields['if-none-match'], fields['accept-encoding']);
  return { status, coding: headers['content-encoding'] };
}

describe('PrecomputedAnswer', () => {
  it.each([
    ['gzip', 'gzip'],
    ['br, GZIP;q=0.5', 'gzip'],
    ['*', 'gzip'],
    ['gzip ; q=1.000 , br', 'gzip'],
    ['gzip;q=0.001', 'gzip'],
    ['gzip;q=.001', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000', undefined],
    ['gzip;q=1.1', undefined],
    ['xgzip, gzipx', undefined],
    ['', undefined],
  ])('is sent for accept-encoding %j as %s', (header, coding) => {
    expect(sent({ 'accept-encoding': header }).coding).toBe(coding);
  });

  it.each([
    ['accept-encoding', `gzip;q=.${'1'.repeat(100_000)}x`],
    ['accept-encoding', `gzip${' '.repeat(100_000)}x`],
    ['accept-encoding', 'gzip;q=0,'.repeat(20_000)],
    ['accept-encoding', ',  '.repeat(50_000)],
    ['if-none-match', 'W/"a", '.repeat(20_000)],
    ['if-none-match', ' '.repeat(100_000)],
  ])('takes a time that grows with the length of %s: %.20s', (name, value) => {
    const before = process.threadCpuUsage();

    expect(sent({ [name]: value })).toEqual({ status: 200, coding: undefined });

    const { user, system } = process.threadCpuUsage(before);
    // A few ms on an idle machine; where the square of the length counted it was more than ten seconds.
    expect((user + system) / 1000).toBeLessThan(500);
  });
});
