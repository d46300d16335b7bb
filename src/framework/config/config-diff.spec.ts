import { describe, expect, it } from 'vitest';
import { Secret } from '../core/index.js';
import { differences, printable } from './config-diff.js';

class DoorOptions {
  credentials = false;
  password = 'hunter2';
  @Secret() isOpen = false;
}

function printed(before: object, after: object): string[] {
  return differences(before, after, 'door')
    .map(printable)
    .map((change) => `${change.path}: ${change.before} → ${change.after}`);
}

describe('differences', () => {
  it('masks what is marked or named like a secret, and no flag that is only named so', () => {
    const [before, after] = [new DoorOptions(), new DoorOptions()];
    Object.assign(after, { credentials: true, password: 'hunter3', isOpen: true });

    expect(printed(before, after)).toEqual([
      'door.credentials: false → true',
      'door.password: *** → ***',
      'door.isOpen: *** → ***',
    ]);
  });

  it('lets a rollback take such a flag back, and keeps a text in its place', () => {
    const kept = (before: unknown, after: unknown): boolean[] =>
      differences({ credentials: before }, { credentials: after }, 'http.cors').map(({ isKept }) => isKept);

    expect(kept(false, true)).toEqual([false]);
    expect(kept(undefined, true)).toEqual([false]);
    expect(kept(true, 'user:pass')).toEqual([true]);
  });
});
