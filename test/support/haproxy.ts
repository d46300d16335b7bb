import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';

const run = promisify(execFile);
// Of the server itself and the libraries that a slim Debian lacks: 2 MB.
const packages = ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'];
const installTimeoutMs = 120_000;
const cure =
  'install HAProxy 2.4 or newer (Debian: apt-get install haproxy), or name it: ROOKERY_TEST_HAPROXY=/path/to/haproxy; without: ROOKERY_TEST_SKIP=haproxy';

interface Program {
  readonly path: string;
  readonly libraries?: string;
}

/** The address that HAProxy connects to the service from. */
export const haproxyAddress = '127.0.0.2';

/** Ways through HAProxy to one service; clients use `ports`. */
export class HaProxy {
  readonly ports: Readonly<Record<string, number>>;
  readonly #process: ChildProcess;
  readonly #folder: TemporaryFolder;

  private constructor(ports: Readonly<Record<string, number>>, child: ChildProcess, folder: TemporaryFolder) {
    this.ports = ports;
    this.#process = child;
    this.#folder = folder;
  }

  /** @param ways by name: the lines of a `listen` section beside `bind` */
  static async start(ways: Readonly<Record<string, readonly string[]>>): Promise<HaProxy> {
    const program = await haproxyProgram();
    const folder = await temporaryFolder();
    const ports = Object.fromEntries(
      await Promise.all(Object.keys(ways).map(async (name) => [name, await freePort()] as const)),
    );
    const sections = Object.entries(ways).map(([name, lines]) =>
      [`listen ${name}`, `bind 127.0.0.1:${ports[name]}`, ...lines].join('\n  '),
    );
    const limits = 'defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s';
    const config = join(folder.path, 'haproxy.cfg');
    writeFileSync(config, `${[limits, ...sections].join('\n')}\n`);
    const { path, libraries } = program;
    const env = { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) };
    const child = spawn(path, ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'], env });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await eventually('HAProxy listens', async () => {
      if (child.exitCode !== null) throw new Error(`HAProxy ended with ${child.exitCode}:\n${stderr}`);
      return (await Promise.all(Object.values(ports).map(isOpen))).every(Boolean);
    });
    return new HaProxy(ports, child, folder);
  }

  async close(): Promise<void> {
    this.#process.kill('SIGTERM');
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
    await this.#folder.remove();
  }
}

async function haproxyProgram(): Promise<Program> {
  const named = process.env['ROOKERY_TEST_HAPROXY'];
  if (named !== undefined) return { path: named };
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const path = folders.map((folder) => join(folder, 'haproxy')).find((file) => existsSync(file));
  return path === undefined ? unpackedProgram() : { path };
}

// Unpacked beside the other peers: nothing is installed, and no service of the machine starts.
async function unpackedProgram(): Promise<Program> {
  const home = process.env['PEERS_HOME'] ?? join(homedir(), '.cache/rookery-peers');
  const root = join(home, 'haproxy');
  const path = join(root, 'usr/sbin/haproxy');
  if (!existsSync(path)) {
    process.stderr.write('rookery: fetching haproxy from Debian for the tests (2 MB)\n');
    mkdirSync(home, { recursive: true });
    const draft = mkdtempSync(join(home, 'draft-'));
    try {
      await download(draft);
      for (const file of readdirSync(draft)) await run('dpkg', ['-x', join(draft, file), join(draft, 'root')]);
      renameSync(join(draft, 'root'), root);
    } catch (error) {
      throw new Error(`no HAProxy found, and Debian's package could not be fetched: ${cure}`, { cause: error });
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  const lib = join(root, 'usr/lib');
  const libraries = readdirSync(lib)
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join(lib, name));
  return { path, libraries: libraries.join(':') };
}

async function download(folder: string): Promise<void> {
  const fetchPackages = (): Promise<unknown> =>
    run('apt-get', ['download', ...packages], { cwd: folder, timeout: installTimeoutMs });
  try {
    await fetchPackages();
  } catch {
    // A fresh machine knows no packages yet.
    await run('apt-get', ['update'], { timeout: installTimeoutMs });
    await fetchPackages();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
