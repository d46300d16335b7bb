import { once } from 'node:events';
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Controller, Get, type MessageEvent, Module, Query, Sse, StreamableFile } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { type RequestEnd, requestEndChannel, requestFaultChannel } from 'rookery/core';
import { Raw } from 'rookery/http';
import { Timeout } from 'rookery/pipeline';
import { startTestService, type TestService } from 'rookery/testing';
import { interval, map, Observable, startWith } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { Http2Caller } from '../support/http2-caller.js';

/** What the handlers have done. */
let made: { bytes: number; closed: number; left: number };

/** Bytes without an end, as fast as they are taken. */
function endless(): Readable {
  const source = new Readable({
    highWaterMark: 65_536,
    read() {
      made.bytes += 16_384;
      this.push(Buffer.alloc(16_384, 'x'));
    },
  });
  return source.once('close', () => (made.closed += 1));
}

@Controller('flows')
@Public()
class FlowsController {
  @Get('bytes')
  @Raw()
  bytes(@Query('type') type = 'application/octet-stream'): StreamableFile {
    return new StreamableFile(endless(), { type });
  }

  @Get('short')
  @Raw()
  @Timeout(300)
  short(): StreamableFile {
    return new StreamableFile(endless(), { type: 'application/octet-stream' });
  }

  @Get('broken')
  @Raw()
  broken(): StreamableFile {
    const source = endless();
    setTimeout(() => source.destroy(new Error('the disk is gone')), 100);
    return new StreamableFile(source, { type: 'application/octet-stream' });
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return new Observable<MessageEvent>((subscriber) => {
      const ticks = interval(20)
        .pipe(
          startWith(-1),
          map((tick) => ({ data: { tick } })),
        )
        .subscribe(subscriber);
      return () => {
        made.left += 1;
        ticks.unsubscribe();
      };
    });
  }

  @Sse('short-events')
  @Timeout(300)
  shortEvents(): Observable<MessageEvent> {
    return this.events();
  }
}

@Module({ controllers: [FlowsController] })
class FlowsModule {}

let test: TestService;
let connection: Http2Caller;
let ends: RequestEnd[];
let faults: unknown[];
let forget: () => void;

beforeEach(async () => {
  made = { bytes: 0, closed: 0, left: 0 };
  ends = [];
  faults = [];
  const forgetEnds = requestEndChannel.subscribe((end) => ends.push(end));
  const forgetFaults = requestFaultChannel.subscribe(({ error }) => faults.push(error));
  forget = () => {
    forgetEnds();
    forgetFaults();
  };
  test = await startTestService(FlowsModule);
  connection = await Http2Caller.connect(test.url);
});

afterEach(async () => {
  forget();
  connection.close();
  await test.close();
});

async function open(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ stream: ClientHttp2Stream; head: IncomingHttpHeaders }> {
  const stream = connection.session.request({ ':path': path, ...headers });
  stream.on('error', () => {});
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return { stream, head };
}

const told = (): unknown[] => ends.map(({ httpStatus, reason }) => [httpStatus, reason]);

describe('a body without an end over HTTP/2', () => {
  it.each(['identity', 'gzip'])('is read no further than its client does (%s)', async (encoding) => {
    const { stream } = await open('/flows/bytes?type=text/plain', { 'accept-encoding': encoding });
    stream.pause();

    let before = -1;
    for (let quiet = 0; quiet < 5; quiet = before === made.bytes ? quiet + 1 : 0) {
      before = made.bytes;
      await connection.request({ ':path': '/health/live' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }

    // Windows, buffers, and what gzip makes of so many equal bytes.
    expect(made.bytes).toBeLessThan(encoding === 'gzip' ? 200_000_000 : 2_000_000);
    stream.close();
    await eventually('the source is closed', () => made.closed === 1);
  });

  it.each(['identity', 'gzip', 'br'])('is let go of when its client goes half way (%s)', async (encoding) => {
    const { stream, head } = await open('/flows/bytes?type=text/plain', { 'accept-encoding': encoding });
    await once(stream, 'data');

    stream.close();

    expect(head['content-encoding']).toBe(encoding === 'identity' ? undefined : encoding);
    await eventually('the source is closed', () => made.closed === 1);
    await eventually('the end is told', () => ends.length > 0);
    expect(told()).toEqual([[499, 'CANCELLED']]);
  });

  it('is let go of when the whole connection goes', async () => {
    const { stream } = await open('/flows/bytes');
    await once(stream, 'data');

    connection.session.destroy();

    await eventually('the source is closed', () => made.closed === 1);
    await eventually('the end is told', () => ends.length > 0);
    expect(told()).toEqual([[499, 'CANCELLED']]);
  });

  it.each(['reads', 'does not read'])(
    'is cut at its deadline, so that nobody takes it for whole: client %s',
    async (how) => {
      const { stream } = await open('/flows/short');
      if (how === 'reads') stream.resume();

      await once(stream, 'close');

      expect(stream.rstCode).not.toBe(0);
      await eventually('the source is closed', () => made.closed === 1);
      await eventually('the end is told', () => ends.length > 0);
      expect(told()).toEqual([[504, 'DEADLINE_EXCEEDED']]);
    },
  );

  it('is broken off when its source fails', async () => {
    const { stream } = await open('/flows/broken');
    stream.resume();

    await new Promise((resolve) => stream.once('close', resolve));

    expect(stream.rstCode).not.toBe(0);
    await eventually('the end is told', () => ends.length > 0);
    expect(told()).toEqual([[500, 'INTERNAL']]);
    expect(faults.map(String)).toEqual(['Error: the disk is gone']);
    expect((await connection.request({ ':path': '/health/live' })).status).toBe(200);
  });

  it('is not read for HEAD', async () => {
    const answer = await connection.request({ ':method': 'HEAD', ':path': '/flows/bytes' });

    expect([answer.status, answer.bytes.length]).toEqual([200, 0]);
    await eventually('the source is closed', () => made.closed === 1);
    expect(made.bytes).toBeLessThan(1_000_000);
    await eventually('the end is told', () => ends.length > 0);
    expect(told()).toEqual([[200, undefined]]);
  });

  it('does not hold up a stop beyond its grace', async () => {
    const { stream } = await open('/flows/bytes');
    stream.resume();
    const startedMs = performance.now();

    await test.service.close();

    expect(performance.now() - startedMs).toBeLessThan(15_000);
    await eventually('the source is closed', () => made.closed === 1);
  }, 30_000);
});

describe('events over HTTP/2', () => {
  it.each([undefined, 'gzip', 'br, gzip'])(
    'come one by one, whatever the client could unpack (%s)',
    async (encoding) => {
      const { stream, head } = await open(
        '/flows/events',
        encoding === undefined ? {} : { 'accept-encoding': encoding },
      );
      const body = head['content-encoding'] === 'gzip' ? stream.pipe(createGunzip()) : stream;
      let text = '';
      body.on('data', (chunk: Buffer) => (text += chunk.toString()));

      await eventually('three events are there', () => text.includes('"tick":1'));
      expect(head['content-encoding']).toBeUndefined();
      stream.close();
      await eventually('the handler knows', () => made.left === 1);
    },
  );

  it('end with their deadline', async () => {
    const { stream } = await open('/flows/short-events');
    stream.resume();

    await once(stream, 'close');

    await eventually('the handler knows', () => made.left === 1);
    await eventually('the end is told', () => ends.length > 0);
    expect(told()).toEqual([[504, 'DEADLINE_EXCEEDED']]);
  });

  it('have headers alone for HEAD, and no listener stays', async () => {
    const answer = await connection.request({ ':method': 'HEAD', ':path': '/flows/events' });

    expect([answer.status, answer.headers['content-type'], answer.bytes.length]).toEqual([200, 'text/event-stream', 0]);
    await eventually('the handler knows', () => made.left === 1);
  });

  it('end when the service stops', async () => {
    const { stream } = await open('/flows/events');
    stream.resume();
    const startedMs = performance.now();

    await test.service.close();

    expect(performance.now() - startedMs).toBeLessThan(15_000);
    await eventually('the handler knows', () => made.left === 1);
  }, 30_000);
});
