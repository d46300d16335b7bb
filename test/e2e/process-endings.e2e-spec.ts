import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EndingProcess } from '../support/ending-process.js';
import { eventually } from '../support/eventually.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// What a stop takes on a busy machine when nothing holds it up.
const promptMs = 5000;
let folder: TemporaryFolder;
let ending: EndingProcess | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterEach(() => ending?.child.dispose());

afterAll(() => folder.remove());

async function start(environment: Record<string, string> = {}, cwd?: string): Promise<EndingProcess> {
  ending = await EndingProcess.start(environment, cwd === undefined ? {} : { cwd });
  return ending;
}

/** A working directory of its own, with configuration files. */
async function workFolder(name: string, yaml: string): Promise<{ readonly cwd: string; readonly file: string }> {
  const cwd = join(folder.path, name);
  await mkdir(join(cwd, 'config'), { recursive: true });
  const file = join(cwd, 'config', 'application.yaml');
  await writeFile(file, yaml);
  return { cwd, file };
}

const refuses = async (process: EndingProcess): Promise<boolean> =>
  (await process.get('/ping').catch(() => undefined)) === undefined;

describe.each([
  ['exception', 'uncaughtException'],
  ['rejection', 'unhandledRejection'],
  ['timer', 'uncaughtException'],
])('a defect outside any request: %s', { timeout: 120_000 }, (defect, origin) => {
  it('lets running requests finish, refuses new connections, reports the cause, and ends with 1', async () => {
    const process = await start();
    const { answer } = await process.hold();
    process.cause(defect);
    const crashed = await process.line('crashed');
    await eventually('new connections are refused', () => refuses(process));
    process.release();
    const { code } = await process.ended();
    const { status, headers } = await answer;

    expect([status, headers.connection, code]).toEqual([200, 'close', 1]);
    expect(crashed).toMatchObject({
      level: 'fatal',
      origin,
      inFlight: 1,
      err: { type: 'Error', message: 'a defect', cause: { type: 'Error', message: 'what is behind it' } },
    });
    expect(process.child.stderr).toMatch(/^crashed: a defect \(what is behind it\)\nError: a defect\n {4}at /);
    expect(process.child.lines.at(-1)).toMatchObject({ msg: 'stopped', isDrained: true });
  });
});

describe('after a crash', { timeout: 120_000 }, () => {
  it('running requests have the crashGraceMs of that moment, and no more', async () => {
    const yaml = (ms: number): string => `config: { watch: false }\nserver: { crashGraceMs: ${ms}, graceMs: 600000 }\n`;
    const { cwd, file } = await workFolder('crash-grace', yaml(600_000));
    const process = await start({}, cwd);
    await process.hold();
    await writeFile(file, yaml(300));
    process.child.kill('SIGHUP');
    await process.line('configuration files reloaded');
    const sinceMs = performance.now();
    process.cause('exception');
    const { code, afterMs } = await process.ended(sinceMs);

    expect(code).toBe(1);
    expect(afterMs).toBeGreaterThanOrEqual(300);
    expect(afterMs).toBeLessThan(300 + promptMs);
  });

  it('there is no drain delay', async () => {
    const process = await start({ ROOKERY_SERVER__DRAIN_DELAY_MS: '60000' });
    const sinceMs = performance.now();
    process.cause('exception');

    expect(await process.ended(sinceMs)).toMatchObject({ code: 1, afterMs: expect.toSatisfy((ms) => ms < promptMs) });
  });

  it.each(['exception', 'rejection'])('a second one (%s) ends the process at once', async (second) => {
    const process = await start({ ROOKERY_SERVER__CRASH_GRACE_MS: '600000' });
    await process.hold();
    process.cause('exception');
    await process.line('draining');
    process.cause(second);

    expect(await process.ended()).toMatchObject({ code: 1 });
  });

  it('a signal changes nothing, a second one ends the process at once, with 1', async () => {
    const process = await start({ ROOKERY_SERVER__CRASH_GRACE_MS: '600000' });
    await process.hold();
    process.cause('exception');
    await process.line('draining');
    process.child.kill('SIGTERM');
    const again = setInterval(() => process.child.kill('SIGINT'), 50);
    const { code } = await process.ended();
    clearInterval(again);

    expect(code).toBe(1);
    expect(process.child.lines.at(-1)).toMatchObject({ msg: 'ended by a second signal', signal: 'SIGINT' });
  });

  it('a driver that hangs, a thread that hangs and a timer that goes on do not keep the process', async () => {
    const fifo = join(folder.path, 'never-written');
    execFileSync('mkfifo', [fifo]);
    const process = await start({ ROOKERY_SERVER__CRASH_GRACE_MS: '100', ENDING_STOP: 'hangs' });
    process.cause(`read ${fifo}`);
    process.cause('keep alive');
    await process.get('/ping');
    const sinceMs = performance.now();
    process.cause('rejection');
    const { code, signal, afterMs } = await process.ended(sinceMs);

    expect([code, signal]).toEqual([1, null]);
    expect(afterMs).toBeLessThan(100 + 5000 + 3000 + promptMs);
  });

  it.each(['nothing', 'textless', 'trap'])('ends with 1 whatever is thrown: %s', async (defect) => {
    const process = await start();
    process.cause(defect);
    const { code } = await process.ended();

    expect(code).toBe(1);
    expect(process.child.stderr).toMatch(/^crashed: /);
  });

  it('during a stop, the exit code is that of the crash', async () => {
    const process = await start();
    const { answer } = await process.hold();
    process.child.kill('SIGTERM');
    await process.line('draining');
    process.cause('exception');
    await process.line('crashed');
    process.release();

    expect(await process.ended()).toMatchObject({ code: 1 });
    expect((await answer).status).toBe(200);
  });
});

describe('a stop ends with 2, in bounded time, when', { timeout: 120_000 }, () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)('a second signal comes: %s, which is logged', async (second) => {
    const process = await start({ ROOKERY_SERVER__GRACE_MS: '600000' });
    const { answer } = await process.hold();
    process.child.kill('SIGTERM');
    await process.line('draining');
    const again = setInterval(() => process.child.kill(second), 50);
    const { code } = await process.ended();
    clearInterval(again);
    const cut = await answer.catch(() => 'cut off');

    expect([code, cut]).toEqual([2, 'cut off']);
    expect(process.child.lines.filter(({ msg }) => msg === 'ended by a second signal')).toMatchObject([
      { level: 'warn', signal: second, inFlight: 1 },
    ]);
  });

  it('a hook of the application hangs', async () => {
    const process = await start({ ENDING_STOP: 'hangs' });
    const { code, afterMs } = await process.end('SIGTERM');
    const line = process.child.lines.find(({ msg }) => msg === 'stopped before everything had ended');

    expect(code).toBe(2);
    expect(afterMs).toBeLessThan(5000 + promptMs);
    expect(line).toMatchObject({ isClosed: false });
  });
});

describe('a stop ends with 0', { timeout: 120_000 }, () => {
  // Nest runs the other hooks all the same.
  it('when a hook of the application throws, which is logged', async () => {
    const process = await start({ ENDING_STOP: 'throws' });
    const { code } = await process.end('SIGTERM');

    expect(code).toBe(0);
    const errors = process.child.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(JSON.stringify(errors[0])).toContain('a driver that fails');
  });

  it('when a listener of the life cycle throws, which is logged', async () => {
    const process = await start({ ENDING_LISTENER: 'throws' });
    const { code } = await process.end('SIGTERM');

    expect(code).toBe(0);
    expect(process.child.lines.find(({ msg }) => msg === 'stopping failed')).toMatchObject({
      err: { message: 'a listener that fails' },
    });
  });

  it('when a thread of the pool hangs and a timer goes on', async () => {
    const fifo = join(folder.path, 'never-written-either');
    execFileSync('mkfifo', [fifo]);
    const process = await start();
    process.cause(`read ${fifo}`);
    process.cause('keep alive');
    await process.get('/ping');
    const { code, signal, afterMs } = await process.end('SIGTERM');

    expect([code, signal]).toEqual([0, null]);
    expect(afterMs).toBeLessThan(promptMs);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)('when %s comes during the start', async (signal) => {
    ending = await EndingProcess.spawn({ ENDING_START: 'hangs' });
    await ending.child.message();
    const { code, afterMs } = await ending.end(signal);

    expect([code, ending.child.stderr]).toEqual([0, '']);
    expect(afterMs).toBeLessThan(promptMs);
  });

  it('when the same signal comes again within 150 ms', async () => {
    const process = await start();
    const { answer } = await process.hold();
    process.child.kill('SIGTERM');
    process.child.kill('SIGINT');
    await process.line('draining');
    process.release();

    expect(await process.ended()).toMatchObject({ code: 0 });
    expect((await answer).status).toBe(200);
  });
});

describe('SIGQUIT', { timeout: 120_000 }, () => {
  it('stops without the drain delay, and running requests finish', async () => {
    const process = await start({ ROOKERY_SERVER__DRAIN_DELAY_MS: '60000' });
    const { answer } = await process.hold();
    const sinceMs = performance.now();
    process.child.kill('SIGQUIT');
    await process.line('draining');
    process.release();
    const { code, afterMs } = await process.ended(sinceMs);

    expect([code, (await answer).status]).toEqual([0, 200]);
    expect(afterMs).toBeLessThan(promptMs);
  });
});

describe('SIGHUP', { timeout: 120_000 }, () => {
  it.each(['true', 'false'])('reloads the configuration files at once, with config.watch %s', async (watch) => {
    const yaml = (level: string): string => `config: { watch: ${watch}, pollMs: 60000 }\nlog: { level: ${level} }\n`;
    const { cwd, file } = await workFolder(`reload-${watch}`, yaml('info'));
    const process = await start({}, cwd);
    process.child.kill('SIGHUP');
    const unchanged = await process.line('configuration files reloaded');
    await writeFile(file, yaml('loud'));
    process.child.kill('SIGHUP');
    const refused = await process.line('configuration files not reloaded');
    await writeFile(file, yaml('debug'));
    process.child.kill('SIGHUP');
    await eventually('the new level is applied', () =>
      process.child.lines.some(({ msg, version }) => msg === 'configuration files reloaded' && version === 2),
    );
    const { text } = await process.get('/metrics');

    expect(unchanged).toMatchObject({ version: 1, isChanged: false });
    expect(refused).toMatchObject({ level: 'warn', version: 1, problems: [expect.stringMatching(/log\.level: /)] });
    expect(text).toMatch(/^rookery_config_version 2$/m);
    expect(text).toMatch(/^rookery_config_stale_sources 0$/m);
    expect((await process.end('SIGTERM')).code).toBe(0);
  });

  it('changes nothing when the folder is gone', async () => {
    const { cwd } = await workFolder('gone', 'config: { watch: false }\nserver: { graceMs: 1234 }\n');
    const process = await start({}, cwd);
    await rm(join(cwd, 'config'), { recursive: true });
    process.child.kill('SIGHUP');
    const line = await process.line('configuration files not reloaded');

    expect(line).toMatchObject({ version: 1, problems: [expect.stringContaining('is gone')] });
    expect((await process.end('SIGTERM')).code).toBe(0);
    expect(process.child.lines.find(({ msg }) => msg === 'draining')).toMatchObject({ graceMs: 1234 });
  });

  it('during the start and during a stop does not end the process', async () => {
    ending = await EndingProcess.spawn({ ENDING_START: 'hangs' });
    await ending.child.message();
    ending.child.kill('SIGHUP');
    ending.child.kill('SIGUSR2');
    const afterStart = await ending.end('SIGTERM');
    const process = await start();
    const { answer } = await process.hold();
    process.child.kill('SIGTERM');
    await process.line('draining');
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGHUP'] as const) process.child.kill(signal);
    await process.line('diagnostics');
    process.release();

    expect(afterStart).toMatchObject({ code: 0, signal: null });
    expect(await process.ended()).toMatchObject({ code: 0, signal: null });
    expect((await answer).status).toBe(200);
  });
});

describe('SIGUSR2', { timeout: 120_000 }, () => {
  it('logs what the process is at, whatever the level is, and goes on', async () => {
    const process = await start({ ROOKERY_LOG__LEVEL: 'fatal' });
    const { answer } = await process.hold();
    process.child.kill('SIGUSR2');
    const line = await process.line('diagnostics');
    process.release();

    expect(line).toMatchObject({
      level: 'info',
      phase: 'ready',
      inFlight: 1,
      configVersion: 1,
      memory: { rssBytes: expect.any(Number) as number, heapLimitBytes: expect.any(Number) as number },
      log: { droppedLines: 0, bufferedBytes: expect.any(Number) as number },
    });
    expect((await answer).status).toBe(200);
    expect((await process.end('SIGTERM')).code).toBe(0);
  });
});

describe('SIGUSR1', { timeout: 120_000 }, () => {
  it('does not open the inspector outside development', async () => {
    const process = await start();
    process.child.kill('SIGUSR1');
    const line = await process.line('SIGUSR1 ignored (development only)');
    const socket = connect(9229, '127.0.0.1');
    const outcome = await new Promise<string>((resolve) => {
      socket
        .on('connect', () => resolve('open'))
        .on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
    });
    socket.destroy();

    expect(line).toMatchObject({ level: 'warn' });
    expect(outcome).toBe('ECONNREFUSED');
    expect(process.child.stderr).toBe('');
    expect((await process.end('SIGTERM')).code).toBe(0);
  });
});
