import { once } from 'node:events';
import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import { Controller, Get, type MessageEvent, Module, Post, Res, Sse, StreamableFile } from '@nestjs/common';
import { concat, NEVER, Observable, of } from 'rxjs';
import { Public } from 'rookery/auth';
import { drainSignal, type RequestEnd, requestEndChannel, statusName } from 'rookery/core';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input, Timeout } from 'rookery/pipeline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorEnvelope } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { openWeb, readWeb } from '../support/grpc-web-caller.js';
import { http } from '../support/http-caller.js';
import { RawConnection } from '../support/raw-connection.js';
import { OrderInput, ReplyInput, TrialInput } from '../support/trial.dto.js';
import { TrialService } from '../support/trial-proto.js';
import { startTestService, type TestService } from 'rookery/testing';

interface Reply {
  readonly text: string;
}

const routeTimeoutMs = 300;
const drained: string[] = [];

/** Handlers that have no end of their own. */
@Controller('ends')
@GrpcService(TrialService)
@Public()
class EndsController {
  @Post('orders')
  @Rpc()
  placeOrder(@Input() order: OrderInput): OrderInput {
    return order;
  }

  @Post('quick')
  @Rpc()
  @Timeout(routeTimeoutMs)
  inspect(@Input() _input: TrialInput): Reply {
    return { text: 'whole' };
  }

  @Post('hang')
  @Rpc()
  fail(@Input() _input: TrialInput): Promise<Reply> {
    return new Promise(() => {});
  }

  @Rpc()
  async *produce(@Input() _input: TrialInput): AsyncGenerator<Reply> {
    yield { text: 'first' };
    await new Promise(() => {});
  }

  @Rpc()
  async *echo(@Input(ReplyInput) messages: AsyncIterable<ReplyInput>): AsyncGenerator<Reply> {
    for await (const { text } of messages) yield { text };
  }

  /** Ends itself when the process drains. */
  @Rpc()
  async *failStream(@Input() _input: TrialInput): AsyncGenerator<Reply> {
    const signal = drainSignal();
    yield { text: 'first' };
    if (!signal.aborted) await once(signal, 'abort');
    drained.push((signal.reason as Error).name);
    yield { text: 'last' };
  }

  @Get('silent')
  silent(@Res() _reply: unknown): void {
    // Has taken the response, and never gives one.
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return concat(of({ data: 'first' }), NEVER);
  }

  @Get('bytes')
  bytes(): StreamableFile {
    return new StreamableFile(Readable.from(endless()));
  }
}

async function* endless(): AsyncGenerator<Buffer> {
  yield Buffer.from('first');
  await new Promise(() => {});
}

@Module({ controllers: [EndsController] })
class EndsModule {}

const calls = {
  placeOrder: methodOf(TrialService, 'PlaceOrder'),
  quick: methodOf(TrialService, 'Inspect'),
  hang: methodOf(TrialService, 'Fail'),
  produce: methodOf(TrialService, 'Produce'),
  echo: methodOf(TrialService, 'Echo'),
  selfEnding: methodOf(TrialService, 'FailStream'),
};

let service: TestService;
let ends: {
  readonly operation: string;
  readonly status: string;
  readonly httpStatus: number;
  readonly reason: unknown;
}[];
let forget: () => void;

beforeEach(() => {
  ends = [];
  drained.length = 0;
  forget = requestEndChannel.subscribe(({ context, status, httpStatus, reason }: RequestEnd) => {
    ends.push({ operation: context.operation, status: statusName(status), httpStatus, reason });
  });
});

afterEach(async () => {
  forget();
  await service.close();
});

async function start(set: Record<string, unknown> = {}): Promise<void> {
  service = await startTestService(EndsModule, { set });
}

function post(path: string, headers = '', type = 'application/json'): string {
  return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: 100\r\n${headers}\r\n{"ti`;
}

/** Sends half of a request over HTTP/1.1, and resolves with all that comes back. */
async function halfRequest(path: string, headers = ''): Promise<string> {
  const connection = await RawConnection.open(service.port);
  connection.write(post(path, headers));
  return (await connection.closed).toString();
}

/** The same over HTTP/2. */
async function halfRequestOnHttp2(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; text: string }> {
  const session = connect(service.url);
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json', ...headers });
  stream.on('error', () => {});
  stream.write('{"ti');
  let status: number | undefined;
  let text = '';
  stream.on('response', (received) => {
    status = received[':status'];
  });
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(stream, 'close');
  session.destroy();
  return { status, text };
}

const limits = { 'server.limits.requestTimeoutMs': 300, 'server.limits.bodyTimeoutMs': 60_000 };
const late = errorEnvelope(408, { reason: 'REQUEST_TIMEOUT', message: 'the request did not arrive in time' });
const overdue = errorEnvelope(504, { reason: 'DEADLINE_EXCEEDED', message: 'deadline exceeded after 300 ms' });

describe('a body that has not come when the time of its request is over', () => {
  // The first request of a route goes through Fastify, later ones go past it.
  const warm = async (path: string): Promise<void> => {
    for (let turn = 0; turn < 2; turn += 1) await http(service.url, { method: 'POST', path, body: { title: 'a' } });
    ends.length = 0;
  };

  it.each([
    ['408 at the limit of all requests', '/ends/orders', '', late],
    ['504 at the deadline that the client asked for', '/ends/orders', 'request-timeout: 0.3\r\n', overdue],
    ["504 at the route's own deadline", '/ends/quick', '', overdue],
  ])('is answered %s, on either version of HTTP', async (_, path, header, envelope) => {
    await start(path === '/ends/orders' && header === '' ? limits : {});
    const headers: Record<string, string> = header === '' ? {} : { 'request-timeout': '0.3' };
    const first = await halfRequest(path, header);
    await warm(path);

    const second = await halfRequest(path, header);
    const onHttp2 = await halfRequestOnHttp2(path, headers);

    const status = envelope === late ? 408 : 504;
    for (const received of [first, second]) {
      expect(received).toMatch(new RegExp(`^HTTP/1[.]1 ${status} [^]*\r\nconnection: close\r\n`));
      expect(JSON.parse(received.slice(received.indexOf('\r\n\r\n')))).toEqual(envelope);
    }
    expect(onHttp2.status).toBe(status);
    expect(JSON.parse(onHttp2.text)).toEqual(envelope);
    await eventually('both are over', () => ends.length === 2);
    const { reason } = envelope as { reason: string };
    const end = { operation: `POST ${path}`, status: 'DEADLINE_EXCEEDED', httpStatus: status, reason };
    expect(ends).toEqual([end, end]);
  });

  it.each([
    ['at the limit of all requests', calls.placeOrder, limits, { timeoutMs: Number.POSITIVE_INFINITY }],
    ['at the deadline that the client asked for', calls.placeOrder, {}, { serverTimeoutMs: 300 }],
    ["at the method's own deadline", calls.quick, {}, {}],
  ])('ends a gRPC call with DEADLINE_EXCEEDED, %s', async (_, method, set, init) => {
    await start(set);
    const caller = new GrpcCaller(service.address);

    const { ended, call } = caller.open(method, init);
    call.resume();

    expect((await ended).failure).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      message: 'deadline exceeded after 300 ms',
    });
    caller.close();
  });

  it.each(['HTTP/1.1', 'HTTP/2'] as const)('ends a gRPC-Web call on %s with a status', async (version) => {
    // On HTTP/1.1 by the limit on bodies, which its connection depends on; on HTTP/2 by that on requests.
    await start(version === 'HTTP/1.1' ? { 'server.limits.bodyTimeoutMs': 300 } : limits);
    const call = openWeb(version, service.address, {
      path: `/${TrialService.typeName}/PlaceOrder`,
      headers: { 'content-type': 'application/grpc-web+proto' },
    });
    call.body.write(Buffer.from([0, 0, 0]));
    const answer = await readWeb(call);

    expect([answer.status, answer.grpcStatus]).toEqual([200, 4]);
    await eventually('it is over', () => ends.length === 1);
    expect(ends).toMatchObject([{ status: 'DEADLINE_EXCEEDED' }]);
  });

  it('is answered where the handler has taken the response and gives none', async () => {
    await start(limits);

    const { status, json } = await http(service.url, { path: '/ends/silent' });

    expect([status, json]).toEqual([504, overdue]);
  });
});

describe('the end of the grace', () => {
  const stopping = errorEnvelope(503, { reason: 'DRAINING', message: 'the service is shutting down' });

  it('ends streams with UNAVAILABLE, a reason and trailers, and that is an orderly stop', async () => {
    await start({ 'server.graceMs': 300 });
    const caller = new GrpcCaller(service.address);
    const open = [calls.produce, calls.echo].map((method) => {
      const each = caller.open(method);
      each.call.write(method === calls.echo ? { text: 'first' } : {});
      if (method === calls.produce) each.call.end();
      return each;
    });
    await Promise.all(open.map(async ({ call }) => once(call, 'data')));

    const code = await service.close();

    for (const { ended } of open) {
      const { failure, messages } = await ended;
      expect(messages).toEqual([{ text: 'first' }]);
      expect(failure).toMatchObject({
        status: 'UNAVAILABLE',
        message: 'the service is shutting down',
        reason: 'DRAINING',
      });
    }
    expect(code).toBe(0);
    expect(ends.map(({ status, reason }) => [status, reason])).toEqual([
      ['UNAVAILABLE', 'DRAINING'],
      ['UNAVAILABLE', 'DRAINING'],
    ]);
    caller.close();
  });

  it('ends streams of gRPC-Web likewise', async () => {
    await start({ 'server.graceMs': 300 });
    const open = (['HTTP/1.1', 'HTTP/2'] as const).map((version) => {
      const call = openWeb(version, service.address, {
        path: `/${TrialService.typeName}/Produce`,
        headers: { 'content-type': 'application/grpc-web-text+proto', accept: 'application/grpc-web-text+proto' },
      });
      call.body.end(Buffer.from([0, 0, 0, 0, 0]).toString('base64'));
      return call;
    });
    await Promise.all(open.map(({ head }) => head));
    const answers = open.map((call) => readWeb(call));

    const code = await service.close();

    for (const answer of answers) expect(await answer).toMatchObject({ status: 200, grpcStatus: 14 });
    expect(code).toBe(0);
  });

  it.each(['HTTP/1.1', 'HTTP/2'] as const)('ends events on %s, which is orderly', async (version) => {
    await start({ 'server.graceMs': 300 });
    const { head, stream, body } = openWeb(version, service.address, {
      method: 'GET',
      path: '/ends/events',
      headers: {},
    });
    body.end();
    await head;
    let text = '';
    const incoming = await stream;
    incoming.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const isWhole = once(incoming, 'end');
    await eventually('an event has come', () => text.includes('first'));

    const code = await service.close();

    await isWhole;
    expect(code).toBe(0);
    expect(ends).toEqual([
      { operation: 'GET /ends/events', status: 'UNAVAILABLE', httpStatus: 200, reason: 'DRAINING' },
    ]);
  });

  it('answers requests that still run with 503 or UNAVAILABLE, and they are cut short', async () => {
    await start({ 'server.graceMs': 500 });
    const caller = new GrpcCaller(service.address);
    const running = [
      http(service.url, { method: 'POST', path: '/ends/hang', body: { mode: 'a' } }),
      http(service.url, { path: '/ends/silent' }),
      caller.call(calls.hang, [{ mode: 'a' }]),
      halfRequest('/ends/orders'),
    ] as const;
    await eventually('they run', () => service.service.lifecycle.inFlight === 4);

    const code = await service.close();

    const [hanging, silent, unary, half] = await Promise.all(running);
    expect([hanging.status, hanging.json]).toEqual([503, stopping]);
    expect([silent.status, silent.json]).toEqual([503, stopping]);
    expect(unary.failure).toMatchObject({ status: 'UNAVAILABLE', reason: 'DRAINING' });
    expect(half).toMatch(/^HTTP\/1\.1 503 /);
    expect(code).toBe(2);
    caller.close();
  });

  it('breaks off what is half sent: the client sees that it is not whole', async () => {
    await start({ 'server.graceMs': 300 });
    const connection = await RawConnection.open(service.port);
    connection.write('GET /ends/bytes HTTP/1.1\r\nhost: a\r\n\r\n');
    await connection.sees('first');

    const code = await service.close();

    expect((await connection.closed).toString()).not.toMatch(/0\r\n\r\n$/);
    expect(code).toBe(2);
  });

  it('is not waited for by handlers that end when the process drains', async () => {
    await start({ 'server.graceMs': 60_000 });
    const caller = new GrpcCaller(service.address);
    const { call, ended } = caller.open(calls.selfEnding);
    call.end({});
    await once(call, 'data');
    call.resume();

    const code = await service.close();

    expect(code).toBe(0);
    expect((await ended).messages).toEqual([{ text: 'first' }, { text: 'last' }]);
    expect(drained).toEqual(['DrainingError']);
    caller.close();
  });
});

describe('a process whose event loop was blocked', () => {
  it('serves what was there in time', { timeout: 60_000 }, async () => {
    const soonMs = 600;
    await start({
      'server.limits.firstByteTimeoutMs': soonMs,
      'server.limits.headersTimeoutMs': soonMs,
      'server.limits.bodyTimeoutMs': soonMs,
      'server.limits.requestTimeoutMs': soonMs,
      'server.keepAliveTimeoutMs': soonMs,
    });
    const get = 'GET /ends/none HTTP/1.1\r\nhost: a\r\n\r\n';
    const [silent, halfHead, halfBody, kept] = await Promise.all(
      [0, 1, 2, 3].map(() => RawConnection.open(service.port)),
    );
    kept?.write(get);
    await kept?.sees('ROUTE_NOT_FOUND');
    halfHead?.write(get.slice(0, 10));
    const body = '{"title":"whole"}';
    const head = `POST /ends/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    halfBody?.write(`${head}{`);
    const session = connect(service.url);
    const stream = session.request({ ':method': 'POST', ':path': '/ends/orders', 'content-type': 'application/json' });
    stream.write('{');
    await eventually('bodies are awaited', () => service.service.lifecycle.inFlight === 2);

    // What follows is in the kernel before any limit has passed, and is seen long after.
    silent?.write(get);
    halfHead?.write(get.slice(10));
    halfBody?.write(body.slice(1));
    kept?.write(get);
    stream.end(body.slice(1));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const untilMs = performance.now() + 3 * soonMs;
    while (performance.now() < untilMs);

    await silent?.sees('ROUTE_NOT_FOUND');
    await halfHead?.sees('ROUTE_NOT_FOUND');
    await halfBody?.sees('"title":"whole"');
    const [received] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(received[':status']).toBe(201);
    await eventually('the kept connection is served again', () => {
      return kept?.received.toString().split('ROUTE_NOT_FOUND').length === 3;
    });
    session.destroy();
    for (const each of [silent, halfHead, halfBody, kept]) each?.destroy();
  });
});
