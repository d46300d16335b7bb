import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { type NacosVersion, nacosClassPath } from './nacos-jars.js';

// 5 to 26 s measured on two cores that others used as well, 75 s where seven others did.
const startTimeoutMs = 180_000;
const stopTimeoutMs = 15_000;
// The server reads its users again every 15 s.
const loginTimeoutMs = 45_000;

/** Long enough for a first fetch of the jars and a start: the time limit of a hook that calls `startNacos()`. */
export const nacosTimeoutMs: number = 12 * 60_000;

/** A real Nacos, alone, on loopback, with an empty database. */
export interface TestNacos {
  readonly host: '127.0.0.1';
  /** HTTP; gRPC is 1000 above. */
  readonly port: number;
  readonly address: string;
  readonly user: { readonly username: string; readonly password: string } | undefined;
  /** Ends it with this signal, resolves when it is gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ends it and deletes its data. May be called twice. */
  close(): Promise<void>;
}

/** How to start it. */
export interface TestNacosOptions {
  readonly version: NacosVersion;
  /** With login; the user is in `user`. */
  readonly hasAuth?: boolean;
  /** 3.1 only: `false` answers 410 to the HTTP interfaces of versions 1 and 2, as Nacos 3.2 does. */
  readonly isCompatible?: boolean;
  /** How long a login lasts. Default 18 000. */
  readonly tokenSeconds?: number;
  /** Default: one that is free. Nothing is left of what was there before. */
  readonly port?: number;
}

/** @throws Error naming what is missing, or the end of the server's log */
export async function startNacos(options: TestNacosOptions): Promise<TestNacos> {
  const { version, hasAuth = false } = options;
  const classPath = await nacosClassPath(version);
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'rookery-nacos-'));
  mkdirSync(join(folder, 'conf'));
  writeFileSync(join(folder, 'conf', 'application.properties'), properties(options), { mode: 0o600 });
  const child = launch(version, classPath, port, folder);
  const kill = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
  };
  const atExit = (): void => void child.kill('SIGKILL');
  process.once('exit', atExit);
  const close = async (): Promise<void> => {
    await kill('SIGTERM');
    process.removeListener('exit', atExit);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(version, port, child);
    const user = hasAuth ? await firstUser(version, port) : undefined;
    return { host: '127.0.0.1', port, address: `127.0.0.1:${port}`, user, kill, close };
  } catch (error) {
    const log = readFileSync(join(folder, 'output.log'), 'utf8').slice(-2000);
    await close();
    throw new Error(`Nacos ${version} did not start; the end of its log:\n${log}`, { cause: error });
  }
}

function launch(version: NacosVersion, classPath: string, port: number, folder: string): ChildProcess {
  const settings = {
    'nacos.standalone': 'true',
    'nacos.home': folder,
    'nacos.logs.path': join(folder, 'logs'),
    'user.home': folder,
    'nacos.server.main.port': port,
    'server.port': port,
    'nacos.deployment.type': 'server',
    'nacos.inetutils.ip-address': '127.0.0.1',
    'nacos.remote.grpc.listen.ip': '127.0.0.1',
  };
  const child = spawn(
    'nice',
    [
      ...['-n', '5', 'java', '-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...['--add-opens', 'java.base/java.lang=ALL-UNNAMED', '--add-opens', 'java.base/java.util=ALL-UNNAMED'],
      ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
      ...['-cp', classPath, version === '3.1' ? 'NacosLauncher' : 'com.alibaba.nacos.Nacos'],
      `--spring.config.additional-location=file:${folder}/conf/`,
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = createWriteStream(join(folder, 'output.log'));
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.once('exit', () => log.end());
  return child;
}

function properties({
  version,
  hasAuth = false,
  isCompatible = true,
  tokenSeconds = 18_000,
}: TestNacosOptions): string {
  const lines = [
    'server.address=127.0.0.1',
    'server.tomcat.accesslog.enabled=false',
    'server.tomcat.basedir=file:.',
    'spring.sql.init.platform=derby',
    // Its own 3 s are not enough where the machine is busy: the server ends with "Login timeout exceeded".
    'db.pool.config.connectionTimeout=60000',
    'nacos.server.contextPath=/nacos',
    'server.servlet.contextPath=/nacos',
    'nacos.core.auth.system.type=nacos',
    ...['', '.admin', '.console'].map((what) => `nacos.core.auth${what}.enabled=${hasAuth}`),
    'nacos.core.auth.caching.enabled=true',
    'nacos.core.auth.server.identity.key=test',
    'nacos.core.auth.server.identity.value=test',
    `nacos.core.auth.plugin.nacos.token.expire.seconds=${tokenSeconds}`,
    `nacos.core.auth.plugin.nacos.token.secret.key=${randomBytes(48).toString('base64')}`,
    'nacos.k8s.sync.enabled=false',
    'nacos.istio.mcp.server.enabled=false',
  ];
  if (version === '3.1' && !isCompatible) {
    for (const api of ['client', 'admin', 'console']) lines.push(`nacos.core.api.compatibility.${api}.enabled=false`);
  }
  return `${lines.join('\n')}\n`;
}

async function ready(version: NacosVersion, port: number, child: ChildProcess): Promise<void> {
  const path = version === '3.1' ? '/v3/admin/core/state/readiness' : '/v1/console/health/readiness';
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  const isReady = async (): Promise<boolean> => {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
    return (await ask(port, path)).ok;
  };
  await eventually('Nacos is ready', isReady, startTimeoutMs);
}

/** 3.1 has no user at first; 2.3 comes with one. */
async function firstUser(version: NacosVersion, port: number): Promise<{ username: string; password: string }> {
  const password = version === '3.1' ? randomBytes(12).toString('hex') : 'nacos';
  if (version === '3.1') await ask(port, '/v3/auth/user/admin', { password });
  const path = version === '3.1' ? '/v3/auth/user/login' : '/v1/auth/login';
  const user = { username: 'nacos', password };
  await eventually('the first user can log in', async () => (await ask(port, path, user)).ok, loginTimeoutMs);
  return user;
}

async function ask(port: number, path: string, form?: Record<string, string>): Promise<{ ok: boolean }> {
  try {
    const body = form && { method: 'POST', body: new URLSearchParams(form) };
    const response = await fetch(`http://127.0.0.1:${port}/nacos${path}`, {
      ...body,
      signal: AbortSignal.timeout(3000),
    });
    await response.arrayBuffer();
    return { ok: response.ok };
  } catch {
    return { ok: false };
  }
}

/** One whose neighbours are free too: the server takes +1000 and +1001 for gRPC and -1000 for its cluster. */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = 12_000 + Math.floor(Math.random() * 15_000);
    const all = await Promise.all([port, port + 1000, port + 1001, port - 1000].map(isFree));
    if (all.every(Boolean)) return port;
  }
  throw new Error('no free ports for Nacos (expected: four between 11000 and 28001)');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
