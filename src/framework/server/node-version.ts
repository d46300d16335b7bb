import { StartError } from './start-error.js';

const needed = [24, 15] as const;

/**
 * Old versions lack what this package stands on, and would fail somewhere in the middle.
 *
 * @throws StartError the version is below 24.15
 */
export function assertNodeVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return;
  throw new StartError(`Node.js ${version} (expected: >= ${needed.join('.')})`);
}
