import { describe, expect, it } from 'vitest';
import { WorkMeter } from './work-meter.js';

/** Works a part of the time for `forMs`, a ms at a time. */
function worked(part: number, forMs: number): WorkMeter {
  const meter = new WorkMeter();
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

  it('forgets within a fifth of a second', () => {
    const meter = worked(0.9, 1000);

    expect(meter.isHeavy(1010)).toBe(true);
    expect(meter.isHeavy(1250)).toBe(false);
  });
});
