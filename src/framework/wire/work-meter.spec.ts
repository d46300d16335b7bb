import { describe, expect, it } from 'vitest';
import { WorkMeter, WorkScale } from './work-meter.js';

/** Works a part of the time for `forMs`, a ms at a time. */
function worked(part: number, forMs: number, scale?: WorkScale): WorkMeter {
  const meter = new WorkMeter(scale);
  for (let nowMs = 0; nowMs < forMs; nowMs += 1 / part) meter.charge(1, nowMs);
  return meter;
}

describe('WorkMeter', () => {
  it('is light as long as nothing has been done', () => {
    expect(new WorkMeter().isHeavy(0)).toBe(false);
  });

  it.each([
    [0.02, false],
    [0.08, false],
    [0.15, true],
    [0.9, true],
  ])('tells a part of %d of the time: heavy %s', (part, isHeavy) => {
    expect(worked(part, 2000).isHeavy(2000)).toBe(isHeavy);
  });

  it('is light beside one of its scale that has taken more than twice as much, and heavy again without that one', () => {
    const scale = new WorkScale();
    const [small, large] = [worked(0.3, 2000, scale), worked(0.9, 2000, scale)];

    expect(small.isHeavy(2000)).toBe(false);
    expect(large.isHeavy(2000)).toBe(true);
    for (let nowMs = 2001; nowMs < 2250; nowMs += 3) small.charge(1, nowMs);
    expect(small.isHeavy(2250)).toBe(true);
  });

  it('is as heavy as another that has taken little more', () => {
    const scale = new WorkScale();
    const meters = [worked(0.4, 2000, scale), worked(0.5, 2000, scale)];

    expect(meters.map((meter) => meter.isHeavy(2000))).toEqual([true, true]);
  });

  it('forgets within a fifth of a second', () => {
    const meter = worked(0.9, 1000);

    expect(meter.isHeavy(1010)).toBe(true);
    expect(meter.isHeavy(1250)).toBe(false);
  });
});
