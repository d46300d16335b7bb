import type { FieldViolation } from 'rookery/core';
import { ValidationError } from 'rookery/pipeline';
import type { UserFields } from './user.js';

/** What an update may say: the fields, and the mask that names those which change. */
export interface UserUpdate {
  readonly displayName?: string | undefined;
  readonly email?: string | undefined;
  readonly role?: string | undefined;
  readonly age?: number | undefined;
  readonly updateMask?: { readonly paths: readonly string[] } | undefined;
}

const fieldOfPath: ReadonlyMap<string, keyof UserFields> = new Map([
  ['display_name', 'displayName'],
  ['email', 'email'],
  ['role', 'role'],
  ['age', 'age'],
]);

/**
 * Which fields an update changes: without a mask, or with an empty one, those that are present; with a mask those it
 * names, of which an absent one is cleared.
 *
 * @throws ValidationError the mask names something that cannot be changed, or clears a field that every user has
 */
export function changesOf(update: UserUpdate): Partial<UserFields> {
  const paths = update.updateMask?.paths ?? [];
  const violations: FieldViolation[] = [];
  const changes: Record<string, unknown> = {};
  for (const path of paths.length > 0 ? paths : presentPaths(update)) {
    const field = fieldOfPath.get(path);
    if (field === undefined) {
      violations.push({
        field: 'updateMask',
        rule: 'isUpdatable',
        message: `updateMask: ${path} is not a field that can be changed`,
      });
    } else if (update[field] === undefined && field !== 'age') {
      violations.push({ field, rule: 'isDefined', message: `${field} cannot be cleared` });
    } else {
      changes[field] = update[field];
    }
  }
  if (violations.length > 0) throw new ValidationError(violations);
  return changes;
}

function presentPaths(update: UserUpdate): string[] {
  return [...fieldOfPath].filter(([, field]) => update[field] !== undefined).map(([path]) => path);
}
