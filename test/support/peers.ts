import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Programs of others that tests talk to the service with. */
export type PeerName = 'go-client' | 'grpcurl' | 'curl';

const grpcurlVersion = 'v1.9.3';
const goClientFolder = fileURLToPath(new URL('../peers/go-client', import.meta.url));
// A first build compiles grpc-go, on two busy cores.
const buildTimeoutMs = 15 * 60_000;
const runTimeoutMs = 30_000;
const heartbeatMs = 10_000;

/** Long enough for a first build: the time limit of a hook that calls `peer()`. */
export const peerTimeoutMs: number = buildTimeoutMs + 60_000;

/** Whether the environment says to do without: `ROOKERY_TEST_SKIP=go-client,grpcurl`. */
export function isSkipped(name: PeerName | 'bench' | 'haproxy' | 'nacos'): boolean {
  return (process.env['ROOKERY_TEST_SKIP'] ?? '').split(',').some((skipped) => skipped.trim() === name);
}

/**
 * The path of a peer's program; built first if need be, which it tells on standard error. Kept in
 * `PEERS_HOME` (`~/.cache/rookery-peers`) under a name that says its version.
 *
 * @throws Error says what is missing, and how to do without
 */
export async function peer(name: PeerName): Promise<string> {
  if (name === 'curl') return programOnPath('curl', name);
  const bin = join(process.env['PEERS_HOME'] ?? join(homedir(), '.cache/rookery-peers'), 'bin');
  const program = join(
    bin,
    name === 'grpcurl' ? `grpcurl-${grpcurlVersion}` : `go-client-${sourceHash(goClientFolder)}`,
  );
  if (existsSync(program)) return program;
  const go = programOnPath('go', name);
  mkdirSync(bin, { recursive: true });
  // Built beside its place and put there whole: a run that is cut off leaves nothing half done.
  const draft = mkdtempSync(join(bin, 'draft-'));
  try {
    const source = name === 'grpcurl' ? `github.com/fullstorydev/grpcurl/cmd/grpcurl@${grpcurlVersion}` : '.';
    await build(
      `building ${name}`,
      go,
      ['install', '-trimpath', source],
      { GOBIN: draft },
      name === 'grpcurl' ? draft : goClientFolder,
    );
    renameSync(join(draft, name === 'grpcurl' ? 'grpcurl' : 'goclient'), program);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return program;
}

/** What a program said, and its exit code. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end, with `input` on standard input. */
export async function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: runTimeoutMs });
  child.stdin.on('error', () => {}).end(input);
  const stdout: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  const { code, stderr } = await ended(child);
  return { code, stdout: Buffer.concat(stdout), stderr };
}

function programOnPath(program: string, neededFor: PeerName): string {
  const found = (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `${program} is not installed, and the tests with ${neededFor} need it (install it, or run with ROOKERY_TEST_SKIP=${neededFor})`,
  );
}

function sourceHash(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 12);
}

async function build(
  title: string,
  program: string,
  args: readonly string[],
  environment: Record<string, string>,
  cwd: string,
): Promise<void> {
  const startedAt = performance.now();
  const say = (text: string): void => void process.stderr.write(`rookery: ${title}: ${text}\n`);
  const timer = setInterval(() => say(`${Math.round((performance.now() - startedAt) / 1000)} s so far`), heartbeatMs);
  say('once, a minute or two');
  try {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: buildTimeoutMs,
    });
    const { code, stderr } = await ended(child);
    if (code !== 0) throw new Error(`${title} failed (go ended with ${code}):\n${stderr}`);
    say(`done in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  } finally {
    clearInterval(timer);
  }
}

function ended(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; stderr: string }>();
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('error', reject);
  child.on('close', (code) => resolve({ code, stderr }));
  return promise;
}
