import { describe, expect, it } from 'vitest';
import { readH2load, readH2loadLog, readWrk, readWrkLatency } from './generators.mjs';

/** As h2load 1.52 prints it; 64 requests with bodies of 44 bytes. */
const h2load = (/** @type {{ summary?: string, codes?: string, data?: number }} */ changes = {}) => `
finished in 12.35ms, 5182.19 req/s, 312.76KB/s
requests: ${changes.summary ?? '64 total, 64 started, 64 done, 64 succeeded, 0 failed, 0 errored, 0 timeout'}
status codes: ${changes.codes ?? '64 2xx, 0 3xx, 0 4xx, 0 5xx'}
traffic: 3.86KB (3955) total, 576B (576) headers (space savings 90.74%), 2.75KB (${changes.data ?? 2816}) data
`;

const clean = {
  requests: 100,
  bytes: 30_000,
  duration: 2_000_000,
  connect: 0,
  read: 0,
  write: 0,
  status: 0,
  timeout: 0,
};

describe('readH2load', () => {
  it('takes a load whose answers are all there', () => {
    const { requests, seconds } = readH2load(h2load(), 64, 44);

    expect(requests).toBe(64);
    expect(seconds).toBeCloseTo(0.01235);
  });

  it.each([
    [
      'a request that failed',
      { summary: '64 total, 64 started, 64 done, 63 succeeded, 1 failed, 0 errored, 0 timeout' },
    ],
    ['an answer that is no 2xx', { codes: '63 2xx, 0 3xx, 0 4xx, 1 5xx' }],
  ])('refuses %s', (_, changes) => {
    expect(() => readH2load(h2load(changes), 64, 44)).toThrow('not all of 64 requests were answered with 2xx');
  });

  it('refuses bodies of other sizes, such as those of errors that come as 200', () => {
    expect(() => readH2load(h2load({ data: 2772 }), 64, 44)).toThrow('2772 data bytes (expected: 64 × 44)');
  });
});

describe('readWrk', () => {
  it('takes a load whose answers are all there, with some bytes of answers on their way', () => {
    expect(readWrk(`text\n${JSON.stringify({ ...clean, bytes: 30_450 })}\n`, 2, 300)).toEqual({
      requests: 100,
      seconds: 2,
    });
  });

  it.each(['connect', 'read', 'write', 'status', 'timeout'])('refuses errors of the kind %s', (kind) => {
    expect(() => readWrk(JSON.stringify({ ...clean, [kind]: 1 }), 2, 300)).toThrow('the load met failures');
  });

  it.each([29_999, 30_601])('refuses %i bytes for 100 answers of 300 on 2 connections', (bytes) => {
    expect(() => readWrk(JSON.stringify({ ...clean, bytes }), 2, 300)).toThrow(
      `${bytes} bytes (expected: about 100 × 300)`,
    );
  });
});

describe('latencies', () => {
  it('of h2load come from its record of each request', () => {
    const log = Array.from({ length: 200 }, (_, index) => `${1_000_000 + index}\t200\t${200 - index}`).join('\n');

    expect(readH2loadLog(`${log}\n`)).toEqual({ p50Us: 100, p99Us: 198 });
    expect(() => readH2loadLog('')).toThrow('no request in its log');
  });

  it('of wrk come from its report', () => {
    const report = JSON.stringify({ ...clean, p50: 900, p99: 2500 });

    expect(readWrkLatency(`text\n${report}\n`)).toEqual({ p50Us: 900, p99Us: 2500 });
    expect(() => readWrkLatency('text')).toThrow('no latencies');
  });
});
