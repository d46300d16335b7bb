import { Controller, Get, Header, Module, NotFoundException, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Public } from 'rookery/auth';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '../support/envelopes.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';

@Controller('headers')
@Public()
class HeadersController {
  @Get('value')
  value(@Query('text') text: string, @Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.header('content-disposition', text).header('x-own', 'kept');
    return 'a'.repeat(5000);
  }

  @Get('name')
  name(@Query('text') text: string, @Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.header(text, 'x');
    return 'a';
  }

  @Get('empty')
  empty(@Query('text') text: string, @Res() reply: FastifyReply): void {
    void reply.code(204).header('x-text', text).send();
  }

  @Get('odd')
  odd(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.header('x-hit', true).header('x-size', 10n).header('x-none', null).header('x-at', new URL('http://a/'));
    return 'a';
  }

  @Get('coded')
  @Header('content-encoding', 'gzip')
  coded(): string {
    throw new NotFoundException();
  }
}

@Module({ controllers: [HeadersController] })
class HeadersModule {}

let service: TestService;

beforeAll(async () => {
  service = await startTestService(HeadersModule);
});

afterAll(() => service.close());

const cannotBeSent = [
  ['/headers/value?text=%E2%82%AC.pdf', {}],
  ['/headers/value?text=%E2%82%AC.pdf', { 'accept-encoding': 'gzip' }],
  ['/headers/value?text=a%0D%0Aset-cookie:%20b', {}],
  ['/headers/name?text=a%0D%0Ab', {}],
  ['/headers/empty?text=%00', {}],
] as const;

describe.each(cannotBeSent)('a handler that sets a header that cannot be sent: %s %o', (path, headers) => {
  // The first request of a route goes through Fastify.
  it.each(['first', 'second'])('is a fault of the service on HTTP/1.1, the %s time', async () => {
    const answer = await http(service.url, { path, headers });

    expectError(answer, 500, { reason: 'INTERNAL', message: 'internal error' });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('is a fault of the service on HTTP/2', async () => {
    const connection = await Http2Caller.connect(service.url);
    const answer = await connection.request({ ':path': path, ...headers });
    connection.close();

    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 500, reason: 'INTERNAL' });
  });
});

describe('a header that is no text', () => {
  it.each(['first', 'second'])('goes out as text, the %s time', async () => {
    const answer = await http(service.url, { path: '/headers/odd' });

    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'x-hit': 'true', 'x-size': '10', 'x-none': 'null', 'x-at': 'http://a/' });
  });
});

describe('a handler that fails after it said how its answer would be coded', () => {
  it.each(['first', 'second'])('is answered in plain, the %s time', async () => {
    const answer = await http(service.url, { path: '/headers/coded' });

    expectError(answer, 404, { reason: 'NOT_FOUND', message: 'Not Found' });
    expect(answer.headers['content-encoding']).toBeUndefined();
  });
});
