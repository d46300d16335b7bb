import { describe, expect, it } from 'vitest';
import { changesOf, type UserUpdate } from './user-changes.js';

const masked = (paths: string[], update: UserUpdate = {}): UserUpdate => ({ ...update, updateMask: { paths } });

describe('changesOf', () => {
  it('takes the present fields when there is no mask, or an empty one', () => {
    expect(changesOf({ displayName: 'A', age: 0 })).toEqual({ displayName: 'A', age: 0 });
    expect(changesOf(masked([], { email: 'a@b.example' }))).toEqual({ email: 'a@b.example' });
    expect(changesOf({})).toEqual({});
  });

  it('takes the named fields alone when there is a mask', () => {
    expect(changesOf(masked(['role', 'display_name'], { displayName: 'A', role: 'viewer', age: 3 }))).toEqual({
      displayName: 'A',
      role: 'viewer',
    });
  });

  it('clears the age when it is named and absent', () => {
    const changes = changesOf(masked(['age']));

    expect(changes).toHaveProperty('age', undefined);
  });

  it('refuses to clear what every user has', () => {
    expect(() => changesOf(masked(['email', 'role']))).toThrow(
      expect.objectContaining({
        reason: 'VALIDATION_FAILED',
        violations: [
          { field: 'email', rule: 'isDefined', message: 'email cannot be cleared' },
          { field: 'role', rule: 'isDefined', message: 'role cannot be cleared' },
        ],
      }),
    );
  });

  it.each(['id', 'created_at', 'displayName', 'password', '*', '__proto__', ''])('refuses the path %j', (path) => {
    expect(() => changesOf(masked([path], { displayName: 'A' }))).toThrow(
      expect.objectContaining({ violations: [expect.objectContaining({ field: 'updateMask', rule: 'isUpdatable' })] }),
    );
  });
});
