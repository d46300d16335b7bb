import { describe, expect, it } from 'vitest';
import { markdownOf, verdictOf } from './report.mjs';

/** @type {import('./cases.mjs').Case} */
const pair = { name: 'grpc-unary/grpc-go', load: 'grpc-unary', subject: 'rookery', peer: 'go-grpc', target: 0.5 };

/** @param {number} ratio @returns {import('./measure.mjs').Comparison} */
const measured = (ratio) => ({ samples: [], ratios: [ratio], ratio, costs: [ratio * 10, 10] });

/** @param {import('./report.mjs').Result[]} results */
const pageOf = (results) =>
  markdownOf({
    machine: [['processor', 'a machine']],
    plan: { rounds: 7, seconds: 2, warmUpShare: 1, serverCore: '0', loadCore: '1' },
    results,
    idle: [],
    idleCount: 10_000,
    footprints: [
      {
        server: 'grpc-js',
        load: 'grpc-unary',
        footprint: { atStart: 50 * 2 ** 20, afterLoad: 90 * 2 ** 20, afterIdle: 80 * 2 ** 20 },
      },
    ],
    idleSeconds: 60,
    validation: { text: 'fast', ok: true },
    date: '2026-01-01',
  });

describe('the verdict', () => {
  it.each([
    [0.5, 'met'],
    [0.6, '**missed** by a factor of 1.20'],
  ])('of a ratio of %d against a target of 0.5 is %s', (ratio, verdict) => {
    expect(verdictOf({ ...pair, comparison: measured(ratio) })).toBe(verdict);
  });

  it('names the reason where nothing was measured', () => {
    expect(verdictOf({ ...pair, failure: 'go-grpc: ended with 1' })).toBe('**not measured**: go-grpc: ended with 1');
  });
});

describe('the page of results', () => {
  it('has a row per pair, with both costs, ratio, target and verdict', () => {
    expect(pageOf([{ ...pair, comparison: measured(0.6) }])).toContain(
      '| gRPC unary | bare grpc-go | 6.00 | 10.00 | **0.600** | 0.600 – 0.600 | ≤ 0.5 | **missed** by a factor of 1.20 |',
    );
  });

  it('states latencies and memory', () => {
    /** @type {[import('./generators.mjs').Latency, import('./generators.mjs').Latency]} */
    const latencies = [
      { p50Us: 1500, p99Us: 4250 },
      { p50Us: 3000, p99Us: 9000 },
    ];
    const page = pageOf([{ ...pair, comparison: { ...measured(0.5), latencies } }]);

    expect(page).toContain('| gRPC unary | bare grpc-go | 1.50 | 3.00 | 4.25 | 9.00 |');
    expect(page).toContain('| bare grpc-js | gRPC unary | 50 | 90 | 80 | stated |');
  });

  it.each([
    [1.05, 'The same server against itself: 1.050.\n'],
    [1.2, 'The same server against itself: 1.200. **It should be 1: the machine was too busy'],
  ])('says what a control of %d means', (ratio, sentence) => {
    const { target: _, ...control } = { ...pair, name: 'control', peer: 'rookery' };

    expect(pageOf([{ ...control, comparison: measured(ratio) }])).toContain(sentence);
  });
});
