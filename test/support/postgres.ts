import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';
import { postgresBinaries } from './postgres-binaries.js';

// Making a database cluster takes seconds on a machine that is busy with other tests.
const startTimeoutMs = 60_000;

/** A PostgreSQL server for tests. */
export interface TestPostgres {
  /** Address of its first database. */
  readonly url: string;
  /** Makes an empty database; @returns its address */
  createDatabase(): Promise<string>;
  /** Drops the databases made here; a server that was started here ends, and its files go. May be called twice. */
  close(): Promise<void>;
}

/**
 * The server that `ROOKERY_TEST_POSTGRES` names, or one of one's own, on a free port of the loopback interface.
 *
 * @throws Error naming the cure when there is none
 */
export async function testPostgres(): Promise<TestPostgres> {
  const named = process.env['ROOKERY_TEST_POSTGRES'];
  if (named !== undefined && named !== '') return databasesOf(named, async () => {});
  const server = await startServer();
  return databasesOf(server.url, server.stop);
}

function databasesOf(url: string, stop: () => Promise<void>): TestPostgres {
  const made: string[] = [];
  return {
    url,
    async createDatabase() {
      const name = `rookery_${randomBytes(6).toString('hex')}`;
      await execute(url, `create database ${name}`);
      made.push(name);
      return Object.assign(new URL(url), { pathname: `/${name}` }).href;
    },
    async close() {
      for (const name of made.splice(0)) await execute(url, `drop database if exists ${name} with (force)`);
      await stop();
    },
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const binaries = await postgresBinaries();
  const folder = mkdtempSync(join(tmpdir(), 'rookery-postgres-'));
  const account = serverAccount();
  const data = join(folder, 'data');
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(folder, 'password');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  for (const path of [folder, data, passwordFile]) if (account !== undefined) chownSync(path, account.uid, account.gid);

  const init = [
    '-D',
    data,
    '-U',
    'rookery',
    '-A',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
    '--no-locale',
    '--no-sync',
  ];
  await promisify(execFile)(join(binaries, 'initdb'), init, { cwd: folder, timeout: startTimeoutMs, ...account });

  const port = await freePort();
  // No socket file, no other interface; what a test server stores need not survive a power cut.
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'fsync=off',
    'max_connections=50',
  ];
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const server = spawn(join(binaries, 'postgres'), args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...account,
  });
  const killWithUs = (): void => void server.kill('SIGKILL');
  process.once('exit', killWithUs);
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs);
    await stopped(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await readiness(server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `postgres://rookery:${password}@127.0.0.1:${port}/postgres`, stop };
}

// The server refuses to run as root.
function serverAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const entry = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is neither an account postgres nor nobody: run the tests as another user',
  );
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function readiness(server: ChildProcess): Promise<void> {
  const said: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (why: string): void => reject(new Error(`PostgreSQL ${why}: ${said.join(' | ')}`));
  const timer = setTimeout(() => fail(`was not ready within ${startTimeoutMs} ms`), startTimeoutMs);
  server.once('error', (error) => fail(error.message));
  server.once('exit', (code) => fail(`ended with code ${code}`));
  // Read on to the end: a full pipe would stop the server.
  createInterface({ input: server.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    said.splice(0, said.length - 20);
    said.push(line);
    if (line.includes('ready to accept connections')) resolve();
  });
  await promise.finally(() => clearTimeout(timer));
}

async function stopped(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const exit = once(server, 'exit');
  // The fast stop: connections are cut, nothing is waited for.
  server.kill('SIGINT');
  const timer = setTimeout(() => server.kill('SIGKILL'), 10_000);
  await exit.finally(() => clearTimeout(timer));
}
