import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveValue } from '../core/index.js';
import { LineBuffer } from './line-buffer.js';
import { LogOptions } from './log.options.js';
import { createLogger } from './logger.js';
import { StandardOutput } from './standard-output.js';

const line = (text: string): string => `${text}\n`;

describe('LineBuffer', () => {
  it('gives the lines as one piece of bytes, in order, and what is left of a piece after a part of it', () => {
    const buffer = new LineBuffer(1_000_000);
    buffer.append(line('é'));
    buffer.append(line('two'));
    const whole = buffer.first()?.toString();
    buffer.release(3);
    const rest = buffer.first()?.toString();
    buffer.release(4);

    expect([whole, rest, buffer.isEmpty, buffer.bytes]).toEqual(['é\ntwo\n', 'two\n', true, 0]);
  });

  it('drops what finds no room, counts it, and keeps what it has', () => {
    const buffer = new LineBuffer(100_000);
    for (let count = 0; count < 200; count += 1) buffer.append(line('x'.repeat(999)));
    const kept = buffer.first()?.length ?? 0;

    expect(kept).toBe(66_000);
    expect(buffer.droppedLines).toBe(132);
    expect([buffer.bytes, buffer.hasRoom]).toEqual([68_000, false]);
    buffer.release(kept);
    expect([buffer.first()?.length, buffer.hasRoom]).toEqual([2000, true]);
  });

  it('counts bytes, not characters, and drops one line that is larger than its bound', () => {
    const buffer = new LineBuffer(150_000);
    buffer.append(line('€'.repeat(65_535)));
    expect([buffer.droppedLines, buffer.isEmpty]).toEqual([1, true]);
    buffer.append(line('€'.repeat(49_000)));
    expect(buffer.first()?.length).toBe(147_001);
  });
});

describe('StandardOutput', () => {
  let folder = '';
  const open: number[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-output-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  // Not before: an output that still tries would find its number taken by another test's file.
  afterAll(() => {
    for (const fd of open.splice(0)) closeSync(fd);
  });

  const opened = (path: string, flags: number | string): number => {
    const fd = openSync(path, flags);
    open.push(fd);
    return fd;
  };

  /** A pipe as its two ends; the reading one never waits. */
  const pipe = (): { readonly reader: number; readonly path: string } => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    return { path, reader: opened(path, constants.O_RDONLY | constants.O_NONBLOCK) };
  };

  /** Reads until nothing comes and the output has nothing left. */
  const drain = async (output: StandardOutput, reader: number): Promise<string> => {
    const bytes = Buffer.alloc(65_536);
    let text = '';
    for (let isOut = false; !isOut; ) {
      isOut = await output.flush(20);
      try {
        for (let count = readSync(reader, bytes); count > 0; count = readSync(reader, bytes)) {
          text += bytes.toString('latin1', 0, count);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' });
      }
    }
    return text;
  };

  it('writes to a file, in order', async () => {
    const path = join(folder, 'log');
    const output = new StandardOutput({ fd: opened(path, 'a'), isNonBlocking: false });
    const lines = Array.from({ length: 5000 }, (_, index) => line(`line ${index}`));
    for (const each of lines) output.write(each);

    expect(await output.flush(5000)).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(lines.join(''));
  });

  it('never waits for a pipe, keeps what fits, and reports the rest when it is read again', async () => {
    const { path, reader } = pipe();
    const output = new StandardOutput({
      fd: opened(path, constants.O_WRONLY | constants.O_NONBLOCK),
      isNonBlocking: true,
    });
    output.maxBufferedBytes = 131_072;
    output.onDropped = (count) => output.write(line(`dropped ${count}`));
    const written = 400;
    for (let count = 0; count < written; count += 1) {
      output.write(line('x'.repeat(999)));
      output.flushSync();
    }
    const { droppedLines } = output;
    const isOut = await output.flush(10);
    const lines = (await drain(output, reader)).trimEnd().split('\n');

    expect(isOut).toBe(false);
    expect(droppedLines).toBeGreaterThan(100);
    expect(lines.filter((each) => each !== 'x'.repeat(999))).toEqual([`dropped ${droppedLines}`]);
    expect(lines).toHaveLength(written - droppedLines + 1);
  });

  it('maxBufferedBytes of the options holds from the next line on', () => {
    const { path } = pipe();
    const output = new StandardOutput({
      fd: opened(path, constants.O_WRONLY | constants.O_NONBLOCK),
      isNonBlocking: true,
    });
    const live = new LiveValue(Object.assign(new LogOptions(), { maxBufferedBytes: 131_072 }));
    const logger = createLogger(live, output);
    const write = (lines: number): void => {
      for (let count = 0; count < lines; count += 1) logger.info('x'.repeat(999));
    };
    write(400);
    const { droppedLines } = output;
    live.publish(Object.assign(new LogOptions(), { maxBufferedBytes: 1_048_576 }));
    write(400);

    expect(droppedLines).toBeGreaterThan(100);
    expect(output.droppedLines).toBe(droppedLines);
  });

  it('has one write in flight at most where a write may wait', async () => {
    const { path, reader } = pipe();
    const output = new StandardOutput({ fd: opened(path, 'w'), isNonBlocking: false });
    for (let count = 0; count < 400; count += 1) {
      output.write(line('x'.repeat(999)));
      output.flushSync();
    }
    const isOut = await output.flush(50);
    const inFlight = process.getActiveResourcesInfo().filter((name) => name === 'FSReqCallback');
    const text = await drain(output, reader);

    expect(isOut).toBe(false);
    expect(inFlight).toHaveLength(1);
    expect(text).toHaveLength(400_000);
  });

  it('outlives a full disk, and gives up the rest at the exit', async () => {
    const output = new StandardOutput({ fd: opened('/dev/full', 'w'), isNonBlocking: false });
    output.write(line('a'));
    const isOut = await output.flush(100);
    const sinceMs = performance.now();
    output.writeRest();

    expect(isOut).toBe(false);
    expect(performance.now() - sinceMs).toBeLessThan(1000);
  });

  it('writes at the exit what a pipe takes, and does not wait long for the rest', () => {
    const { path, reader } = pipe();
    const output = new StandardOutput({
      fd: opened(path, constants.O_WRONLY | constants.O_NONBLOCK),
      isNonBlocking: true,
    });
    for (let count = 0; count < 100; count += 1) output.write(line('x'.repeat(999)));
    const sinceMs = performance.now();
    output.writeRest();

    expect(performance.now() - sinceMs).toBeLessThan(2000);
    expect(output.bufferedBytes).toBeLessThan(100_000);
    expect(readSync(reader, Buffer.alloc(65_536))).toBe(65_536);
  });
});
