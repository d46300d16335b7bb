import { Controller, Get, Module, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Public } from 'rookery/auth';
import { type RequestEnd, requestEndChannel } from 'rookery/core';
import { Raw } from 'rookery/http';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Attacker } from '../support/attacker.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';

const mebibyte = 1_048_576;
const pieceBytes = 8 * mebibyte;
const written: unknown[] = [];

@Controller('pieces')
@Public()
class PiecesController {
  @Get('one')
  @Raw()
  one(): StreamableFile {
    return new StreamableFile(Buffer.alloc(pieceBytes, 'a'));
  }

  /** Asks of each piece what has become of it, and ends at once. */
  @Get('told')
  told(@Res() reply: FastifyReply): void {
    reply.hijack();
    for (let count = 0; count < 200; count += 1)
      reply.raw.write(Buffer.alloc(1000), (error) => written.push(error ?? 'sent'));
    reply.raw.end();
  }
}

@Module({ controllers: [PiecesController] })
class PiecesModule {}

let test: TestService;
let caller: Http2Caller;
const ends: RequestEnd[] = [];

beforeAll(async () => {
  test = await startTestService(PiecesModule, { set: { 'server.limits.maxBufferedBytes': 160 * mebibyte } });
  caller = await Http2Caller.connect(test.url);
  requestEndChannel.subscribe((end) => ends.push(end));
});

beforeEach(() => {
  ends.length = 0;
  written.length = 0;
});

afterAll(async () => {
  caller.close();
  await test.close();
});

describe('a response in one large piece', () => {
  it.each(['HTTP/1.1', 'HTTP/2'])('needs room for that piece alone: five of them on %s', async (version) => {
    const ask = async (): Promise<number> =>
      version === 'HTTP/1.1'
        ? (await http(test.url, { path: '/pieces/one' })).bytes.length
        : (await caller.request({ ':path': '/pieces/one' })).text.length;

    // Of 160 MiB, one connection has 42 while all of them wait, and needs 40.
    expect(await Promise.all(Array.from({ length: 5 }, ask))).toEqual(Array.from({ length: 5 }, () => pieceBytes));
  });

  it.each([
    ['HTTP/1.1', undefined],
    ['HTTP/2', 1000],
  ])('is refused, or broken off, by the share of a client that does not read it: %s', async (_, windowBytes) => {
    const attacker = new Attacker('127.0.0.2', test.port);

    if (windowBytes === undefined) await attacker.connections(30, 'GET /pieces/one HTTP/1.1\r\nhost: a\r\n\r\n', false);
    else await attacker.streams(30, '/pieces/one', {}, { method: 'GET', windowBytes });

    await eventually('some are over', () => ends.some(({ reason }) => reason !== undefined));
    const reasons = new Set(ends.map(({ reason, fault }) => `${fault} ${reason}`));
    attacker.close();
    await eventually('nothing is in flight', () => test.service.lifecycle.inFlight === 0);
    expect(reasons).toEqual(new Set(['client CLIENT_SHARE_EXCEEDED']));
  });

  it('tells of each of its pieces, where it ends first', async () => {
    await http(test.url, { path: '/pieces/told' });
    await eventually('all are told', () => written.length === 200);

    expect(new Set(written)).toEqual(new Set(['sent']));
  });
});
