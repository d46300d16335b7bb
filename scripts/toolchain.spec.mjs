import { describe, expect, it } from 'vitest';
import { environmentFor, isNewEnough } from './toolchain.mjs';

describe('isNewEnough', () => {
  it.each(['24.15.0', '24.21.0', '25.0.0', '30.1.2'])('takes %s', (version) => {
    expect(isNewEnough(version)).toBe(true);
  });

  it.each(['20.20.2', '22.99.0', '24.14.9', '24.2.0'])('refuses %s', (version) => {
    expect(isNewEnough(version)).toBe(false);
  });
});

describe('environmentFor', () => {
  it('puts the folder of the Node first on PATH', () => {
    expect(environmentFor('/cache/bin/node')['PATH']).toMatch(/^\/cache\/bin:/);
  });
});
