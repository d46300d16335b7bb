import { keySettings } from './algorithms.js';
import { AuthOptionsError } from './auth.errors.js';
import type { KeySet } from './auth-keys.js';

/**
 * Stops a start at which protected routes could let nobody in: outside development a key has to be configured.
 *
 * @param protectedOperations the routes and RPCs that are not public, such as `POST /api/v1/users`
 * @throws AuthOptionsError one line that names the settings which would cure it
 */
export function assertKeysConfigured(keys: KeySet, protectedOperations: readonly string[]): void {
  const [first] = protectedOperations;
  if (keys.source !== 'none' || first === undefined) return;
  const more = protectedOperations.length > 1 ? ` and ${protectedOperations.length - 1} more` : '';
  const settings = keySettings.map((name) => `auth.jwt.${name}`).join(', ');
  throw new AuthOptionsError(
    'auth.jwt',
    `no key for the protected ${first}${more}`,
    `one of ${settings}, or @Public() on the routes`,
  );
}
