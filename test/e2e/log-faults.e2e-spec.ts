import { execFileSync } from 'node:child_process';
import { open, type FileHandle, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { EndingProcess } from '../support/ending-process.js';
import { eventually } from '../support/eventually.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// Grace, time to close and the bound of the log's flush, with room for a busy machine.
const endMs = 8000;
let folder: TemporaryFolder;
let ending: EndingProcess | undefined;
let fifo: string;
let count = 0;
const handles: FileHandle[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await ending?.child.dispose();
  ending = undefined;
  for (const handle of handles.splice(0)) await handle.close();
});

afterAll(() => folder.remove());

/** A pipe in the file system that this process holds open, so that a writer can open it; nobody reads. */
async function unreadPipe(): Promise<FileHandle> {
  count += 1;
  fifo = join(folder.path, `fifo-${count}`);
  execFileSync('mkfifo', [fifo]);
  const handle = await open(fifo, 'r+');
  handles.push(handle);
  return handle;
}

/** Lines that fill any pipe and any socket. */
async function fill(process: EndingProcess, lines = 100): Promise<void> {
  for (let sent = 0; sent < lines; sent += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => process.get('/talk')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  }
}

async function metric(process: EndingProcess, name: string): Promise<number> {
  const { text } = await process.get('/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

const outputs: readonly [name: string, shell: () => string | Promise<string>][] = [
  ['a full disk', () => 'exec >/dev/full'],
  ['closed', () => 'exec >&-'],
  ['closed, as standard error is', () => 'exec >&- 2>&-'],
  ['a file that may not grow', () => `ulimit -f 8; exec >${join(folder.path, 'limited')}`],
  [
    'a pipe that nobody reads',
    async () => {
      await unreadPipe();
      return `exec >${fifo}`;
    },
  ],
  [
    'a pipe that nobody reads, together with standard error',
    async () => {
      await unreadPipe();
      return `exec >${fifo} 2>&1`;
    },
  ],
  [
    'a pipe whose reader is gone',
    // Its reader goes when the process has begun to write.
    async () => {
      await unreadPipe();
      return `exec >${fifo}`;
    },
  ],
];

// One that fails, and one that blocks: the others differ in how they fail alone.
const isTriedWhole: ReadonlySet<string> = new Set([
  'a full disk',
  'a pipe that nobody reads, together with standard error',
]);

describe.each(outputs)('standard output is %s', { timeout: 120_000 }, (name, shell) => {
  const program = async (): Promise<{ shell: string }> => ({ shell: await shell() });

  async function start(environment: Record<string, string> = {}): Promise<EndingProcess> {
    ending = await EndingProcess.start(environment, await program());
    if (name.endsWith('gone')) for (const handle of handles.splice(0)) await handle.close();
    await fill(ending);
    return ending;
  }

  it('serves, and SIGTERM ends it with 0', async () => {
    const process = await start();
    const answer = await process.get('/ping');
    const { code, signal, afterMs } = await process.end('SIGTERM');

    expect(answer.json).toEqual({ code: 200, data: { isUp: true }, message: 'success' });
    expect([code, signal]).toEqual([0, null]);
    expect(afterMs).toBeLessThan(endMs);
  });

  if (!isTriedWhole.has(name)) return;

  it('a crash ends it with 1, and running requests are answered', async () => {
    const process = await start();
    const { answer } = await process.hold();
    process.cause('rejection');
    await eventually(
      'it drains',
      async () => (await process.get('/health/ready').catch(() => undefined)) === undefined,
    );
    process.release();
    const { code, afterMs } = await process.ended();

    expect((await answer).status).toBe(200);
    expect(code).toBe(1);
    expect(afterMs).toBeLessThan(endMs);
  });

  it('a second signal ends it with 2', async () => {
    const process = await start({ ROOKERY_SERVER__GRACE_MS: '600000' });
    await process.hold();
    process.child.kill('SIGTERM');
    await eventually(
      'it drains',
      async () => (await process.get('/health/ready').catch(() => undefined)) === undefined,
    );
    const { code, afterMs } = await process.end('SIGTERM');

    expect(code).toBe(2);
    expect(afterMs).toBeLessThan(endMs);
  });

  it('a start that fails ends with 1', async () => {
    const environment = { PORT: '70000' };
    const process = await EndingProcess.spawn(environment, await program());
    ending = process;
    const { code } = await process.ended();

    expect(code).toBe(1);
  });
});

describe('lines that standard output does not take', { timeout: 120_000 }, () => {
  it('are counted, and one line says how many were dropped when it takes lines again', async () => {
    const reader = await unreadPipe();
    ending = await EndingProcess.start(
      { ROOKERY_LOG__MAX_BUFFERED_BYTES: '131072', ROOKERY_LOG__LEVEL: 'warn', ROOKERY_LOG__ACCESS: 'false' },
      { shell: `exec >${fifo}` },
    );
    const process = ending;
    // Refusals are warnings: with its text each is a line of some size.
    const talk = (): Promise<unknown> => Promise.all(Array.from({ length: 20 }, () => process.get('/warn')));
    await eventually('lines are dropped', async () => {
      await talk();
      return (await metric(process, 'rookery_log_dropped_lines_total')) > 0;
    });
    const dropped = await metric(process, 'rookery_log_dropped_lines_total');
    const buffered = await metric(process, 'rookery_log_buffered_bytes');
    let text = '';
    const decoder = new TextDecoder();
    const buffer = Buffer.alloc(65_536);
    while (!text.includes('log lines were dropped')) {
      const { bytesRead } = await reader.read(buffer, 0, buffer.length, null);
      text += decoder.decode(buffer.subarray(0, bytesRead), { stream: true });
    }
    const lines = text
      .slice(0, text.lastIndexOf('\n'))
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

    expect(buffered).toBeGreaterThan(65_536);
    expect(buffered).toBeLessThanOrEqual(131_072 + 65_536 + 4096);
    expect(lines.filter(({ msg }) => msg === 'log lines were dropped')).toEqual([
      expect.objectContaining({ level: 'warn', droppedLines: dropped }),
    ]);
    expect((await process.end('SIGTERM')).code).toBe(0);
  });

  it('are those of a socket, too: a reader that stops holds up neither requests nor the stop', async () => {
    ending = await EndingProcess.start({ ROOKERY_LOG__MAX_BUFFERED_BYTES: '131072' });
    const process = ending;
    process.child.stopReading();
    await eventually('lines are dropped', async () => {
      await fill(process, 100);
      return (await metric(process, 'rookery_log_dropped_lines_total')) > 0;
    });
    const ended = process.end('SIGTERM');
    await eventually('it has stopped', async () => (await process.get('/ping').catch(() => undefined)) === undefined);
    await eventually('it is gone', () => !process.child.isRunning);
    process.child.resumeReading();

    expect((await ended).code).toBe(0);
  });
});

describe('a log that is read', { timeout: 120_000 }, () => {
  it('is whole at the end of the process, whatever the output is', async () => {
    const file = join(folder.path, 'whole');
    for (const shell of [undefined, `exec >${file}`]) {
      ending = await EndingProcess.start({}, shell === undefined ? {} : { shell });
      await fill(ending, 200);
      const { code } = await ending.end('SIGTERM');
      const text = shell === undefined ? ending.child.stdout : await readFile(file, 'utf8');
      const messages = text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);

      expect(code).toBe(0);
      expect(messages.filter((msg) => msg === 'x'.repeat(1000))).toHaveLength(200);
      expect(messages.filter((msg) => msg === 'request')).toHaveLength(200);
      expect(messages.at(-1)).toBe('stopped');
    }
  });

  it('has a line of megabytes in one piece, for a slow reader as well', async () => {
    ending = await EndingProcess.start({ ROOKERY_LOG__ACCESS: 'false' });
    ending.child.stopReading();
    ending.cause('megabytes');
    await ending.get('/ping');
    ending.child.resumeReading();
    const line = await ending.line('megabytes');

    expect((line['text'] as string).length).toBe(3_000_000);
    expect((await ending.end('SIGTERM')).code).toBe(0);
  });
});

describe('the reference service', { timeout: 120_000 }, () => {
  it('whose standard output and error are full serves and stops', async () => {
    const child = new ChildService(
      { PORT: '70000' },
      {
        path: new URL('../../dist/main.js', import.meta.url).pathname,
        args: [],
        nodeOptions: [],
        shell: 'exec >/dev/full 2>/dev/full',
      },
    );

    expect(await child.exit).toMatchObject({ code: 1, signal: null });
  });
});
