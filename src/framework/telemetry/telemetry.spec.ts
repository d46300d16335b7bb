import { Controller, Get, Global, Injectable, Module, Req } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Logger, PinoLogger } from 'nestjs-pino';
import type { IncomingMessage } from 'node:http';
import type { Logger as PlainLogger } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Face,
  LiveValue,
  MetricRegistry,
  noDeadline,
  probeChangeChannel,
  RequestContext,
  type Fault,
  faultOf,
  requestEndChannel,
  requestFaultChannel,
  runInContext,
  Status,
} from '../core/index.js';
import { LOG_OPTIONS, LogOptions } from './log.options.js';
import { createLogger, LOG_DESTINATION, LOGGER } from './logger.js';
import { RequestLog } from './request-log.js';
import { TelemetryModule } from './telemetry.module.js';

type Line = Record<string, unknown>;

class Output {
  text = '';

  write(chunk: string): void {
    this.text += chunk;
  }

  /** The lines so far, without what every line has. */
  lines(): Line[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const fields = Object.entries(JSON.parse(line) as Line);
        return Object.fromEntries(fields.filter(([name]) => !['time', 'pid', 'hostname'].includes(name)));
      });
  }
}

function options(changes: Partial<LogOptions> = {}): LogOptions {
  return Object.assign(new LogOptions(), changes);
}

function context(face: Face = 'http', headers: Record<string, string> = {}): RequestContext {
  const header = (name: string): string | undefined => headers[name];
  return new RequestContext({ face, operation: 'GET /users/:id', peer: '::1', header, deadline: noDeadline });
}

describe('createLogger', () => {
  let output = new Output();
  let live = new LiveValue(options());
  let logger: PlainLogger;
  beforeEach(() => {
    output = new Output();
    live = new LiveValue(options());
    logger = createLogger(live, output);
  });

  it('writes one JSON object per line, with the level by name and the time by the clock on the wall', () => {
    logger.info({ a: 1 }, 'hello');

    const line = JSON.parse(output.text) as Line;
    expect(line).toMatchObject({ level: 'info', a: 1, msg: 'hello', pid: process.pid });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it.each(['http', 'grpc'] as const)('adds requestId and traceId to every line of a request on %s', (face) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const request = context(face, { 'x-request-id': 'r-1', traceparent });

    runInContext(request, () => logger.child({ part: 'p' }).info('inside'));
    logger.info('outside');

    expect(output.lines()).toEqual([
      { level: 'info', part: 'p', requestId: 'r-1', traceId: '0af7651916cd43dd8448eb211c80319c', msg: 'inside' },
      { level: 'info', msg: 'outside' },
    ]);
  });

  it('masks secret fields at any depth, in lists, in child bindings and in instances of classes', () => {
    class Login {
      readonly password = 'hunter2';
      readonly user = 'me';
    }
    const headers = {
      Authorization: 'Digest hunter2',
      cookie: 'hunter2',
      'set-cookie': ['hunter2'],
      'x-api-key': 'hunter2',
      accept: 'a',
    };

    logger
      .child({ api_key: 'hunter2', module: 'm' })
      .info({ headers, list: [{ secret: 'hunter2' }, 1], login: new Login(), accessToken: 'hunter2' });

    expect(output.lines()).toEqual([
      {
        level: 'info',
        api_key: '***',
        module: 'm',
        headers: { Authorization: '***', cookie: '***', 'set-cookie': '***', 'x-api-key': '***', accept: 'a' },
        list: [{ secret: '***' }, 1],
        login: { password: '***', user: 'me' },
        accessToken: '***',
      },
    ]);
  });

  it('masks what looks like a credential in any text', () => {
    const token = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"sub":"hunter2"}').toString('base64url')}.c2ln`;

    logger.info(`called with Bearer abcdefghij.hunter2 and ${token}`);
    logger.info(
      { url: 'postgres://me:hunter2@host/db?password=hunter2&x=1' },
      'cannot connect to redis://:hunter2@host',
    );
    logger.error(new Error('Basic aHVudGVyMjpodW50ZXIy was refused'));

    expect(output.text).not.toContain('hunter2');
    expect(output.text).not.toContain('aHVudGVyMj');
    expect(output.lines()[0]?.['msg']).toBe('called with Bearer *** and ***');
    expect(output.lines()[1]).toEqual({
      level: 'info',
      url: 'postgres://me:***@host/db?password=***&x=1',
      msg: 'cannot connect to redis://:***@host',
    });
    expect(output.lines()[2]).toMatchObject({
      msg: 'Basic *** was refused',
      err: { message: 'Basic *** was refused' },
    });
  });

  it('leaves the logged objects as they are', () => {
    const fields = { password: 'x', inner: { token: 'y' } };

    logger.info(fields);

    expect(fields).toEqual({ password: 'x', inner: { token: 'y' } });
  });

  it('writes errors with their causes, inner errors and codes, wherever they stand', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', password: 'hunter2' });
    const cause = new AggregateError([refused, 'text'], 'all failed');

    logger.warn({ err: new TypeError('outer', { cause }), inner: { error: refused } });

    expect(output.lines()[0]).toMatchObject({
      err: {
        type: 'TypeError',
        message: 'outer',
        stack: expect.stringContaining('telemetry.spec') as unknown,
        cause: {
          type: 'AggregateError',
          errors: [
            { type: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED', password: '***' },
            { type: 'string', message: 'text' },
          ],
        },
      },
      inner: { error: { code: 'ECONNREFUSED' } },
    });
  });

  it('survives what is circular, deep or very wide', () => {
    const circular: Record<string, unknown> = { name: 'c', error: new Error('e') };
    circular['self'] = circular;
    const endless = new Error('endless');
    endless.cause = endless;
    let deep: unknown = { password: 'hunter2' };
    for (let i = 0; i < 100; i += 1) deep = { deep };

    logger.info({ circular, endless, deep, wide: Array.from({ length: 100_000 }, () => ({ a: 1 })) });

    expect(output.lines()).toHaveLength(1);
    expect(output.text).not.toContain('hunter2');
    expect(output.text.length).toBeLessThan(2_000_000);
  });

  it('follows a change of the level, in children too', () => {
    const child = logger.child({ c: 1 });
    child.debug('1');

    live.publish(options({ level: 'debug' }));
    child.debug('2');
    live.publish(options({ level: 'silent' }));
    child.fatal('3');

    expect(output.lines().map(({ msg }) => msg)).toEqual(['2']);
    expect(child.isLevelEnabled('fatal')).toBe(false);
  });

  it('follows a change of the masked names', () => {
    logger.info({ iban: 'x' });
    live.publish(options({ redact: ['IBAN', 'card-number'] }));
    logger.info({ iban: 'x', cardNumber: 'y' });

    expect(output.lines()).toEqual([
      { level: 'info', iban: 'x' },
      { level: 'info', iban: '***', cardNumber: '***' },
    ]);
  });
});

describe('RequestLog', () => {
  let output = new Output();
  let live = new LiveValue(options());
  let log: RequestLog;
  beforeEach(() => {
    output = new Output();
    live = new LiveValue(options());
    log = new RequestLog(createLogger(live, output), live);
    log.onModuleInit();
  });
  afterEach(() => log.close());

  const end = (
    request: RequestContext,
    status: number,
    httpStatus: number,
    reason?: string,
    fault: Fault | undefined = faultOf(status),
  ): void => {
    const ending = { httpStatus, durationMs: 1.23456, serviceMs: undefined, reason };
    requestEndChannel.publish({ context: request, status, ...ending, fault });
  };

  it('writes exactly one line per request, with everything an operator asks for', () => {
    const request = context('grpc', { 'x-request-id': 'r-1', 'x-tenant': 'acme' });
    const claims = { sub: 'alice' };
    request.principal = { subject: 'alice', scopes: new Set(), roles: new Set(), tenant: undefined, claims };

    runInContext(request, () => end(request, Status.NotFound, 200, 'USER_NOT_FOUND'));

    expect(output.lines()).toEqual([
      {
        level: 'warn',
        requestId: 'r-1',
        traceId: request.trace.traceId,
        face: 'grpc',
        operation: 'GET /users/:id',
        status: 'NOT_FOUND',
        httpStatus: 200,
        durationMs: 1.235,
        peer: '::1',
        subject: 'alice',
        tenant: 'acme',
        reason: 'USER_NOT_FOUND',
        fault: 'client',
        msg: 'request',
      },
    ]);
    expect(output.text.match(/requestId/g)).toHaveLength(1);
  });

  it.each([
    [Status.Ok, undefined, 'info'],
    [Status.InvalidArgument, 'client', 'warn'],
    [Status.Internal, 'client', 'warn'],
    [Status.DeadlineExceeded, 'client', 'warn'],
    [Status.Cancelled, 'client', 'warn'],
    [Status.Internal, 'upstream', 'warn'],
    [Status.Unavailable, 'load', 'warn'],
    [Status.Unavailable, 'service', 'error'],
    [Status.DeadlineExceeded, 'service', 'error'],
    [Status.Internal, 'service', 'error'],
    [Status.Unknown, 'service', 'error'],
    [Status.DataLoss, 'service', 'error'],
  ] as const)('writes status %i by the fault of %s as %s', (status, fault, level) => {
    end(context(), status, 200, undefined, fault);

    expect(output.lines()[0]?.['level']).toBe(level);
  });

  it('writes nothing for probes', () => {
    const request = context();
    request.isProbe = true;

    end(request, Status.Ok, 200);

    expect(output.text).toBe('');
  });

  it('stops and starts with log.access, and leaves the channel meanwhile', () => {
    live.publish(options({ access: false }));
    expect(requestEndChannel.hasSubscribers).toBe(false);
    live.publish(options({ access: true, level: 'error' }));
    live.publish(options({ access: true }));

    end(context(), Status.Ok, 200);

    expect(output.lines()).toHaveLength(1);
  });

  it('writes faults with cause and stack, whatever was thrown', () => {
    const request = context('http', { 'x-request-id': 'r-2' });

    const error = new Error('outer', { cause: new Error('token=hunter2') });
    requestFaultChannel.publish({ context: request, error, fault: 'service', upstream: undefined });
    requestFaultChannel.publish({ context: undefined, error: undefined, fault: 'service', upstream: undefined });

    expect(output.lines()[0]).toMatchObject({
      level: 'error',
      msg: 'request failed',
      requestId: 'r-2',
      operation: 'GET /users/:id',
      err: {
        message: 'outer',
        stack: expect.stringContaining('Error: outer') as unknown,
        cause: { message: 'token=***' },
      },
    });
    expect(output.lines()[1]).toEqual({
      level: 'error',
      fault: 'service',
      err: { type: 'undefined', message: 'undefined' },
      msg: 'request failed',
    });
    expect(output.text).not.toContain('hunter2');
  });

  it("writes another service's failure as a warning, with its address", () => {
    requestFaultChannel.publish({
      context: context(),
      error: new Error('no'),
      fault: 'upstream',
      upstream: 'users:80',
    });

    expect(output.lines()).toMatchObject([
      { level: 'warn', fault: 'upstream', upstream: 'users:80', err: { message: 'no' }, msg: 'request failed' },
    ]);
  });

  it('writes probes that change', () => {
    probeChangeChannel.publish({ name: 'database', isUp: false, error: new Error('postgres://a:hunter2@b is down') });
    probeChangeChannel.publish({ name: 'database', isUp: true, error: undefined });

    expect(output.lines()).toMatchObject([
      { level: 'warn', probe: 'database', err: { message: 'postgres://a:***@b is down' }, msg: 'probe is down' },
      { level: 'info', probe: 'database', msg: 'probe is up' },
    ]);
  });

  it('leaves all channels when it is closed, twice if need be', () => {
    log.close();
    log.close();

    live.publish(options());

    expect(
      [requestEndChannel, requestFaultChannel, probeChangeChannel].map(({ hasSubscribers }) => hasSubscribers),
    ).toEqual([false, false, false]);
  });
});

describe('TelemetryModule', () => {
  @Injectable()
  class Greeter {
    constructor(readonly logger: PinoLogger) {
      logger.setContext('Greeter');
    }
  }

  @Controller()
  class GreetController {
    constructor(readonly greeter: Greeter) {}

    @Get()
    greet(@Req() request: { raw: IncomingMessage }): object {
      this.greeter.logger.info({ token: 'hunter2' }, 'hello');
      return { middlewareRan: 'log' in request.raw || 'allLogs' in request.raw };
    }
  }

  it('serves nestjs-pino with our logger, without a middleware', async () => {
    const output = new Output();
    const live = new LiveValue(options());

    @Global()
    @Module({
      providers: [
        { provide: LOG_OPTIONS, useValue: live },
        { provide: MetricRegistry, useValue: new MetricRegistry() },
        { provide: LOG_DESTINATION, useValue: output },
      ],
      exports: [LOG_OPTIONS, LOG_DESTINATION, MetricRegistry],
    })
    class OptionsModule {}
    const module = await Test.createTestingModule({
      imports: [OptionsModule, TelemetryModule],
      controllers: [GreetController],
      providers: [Greeter],
    }).compile();
    const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { bufferLogs: true });
    app.useLogger(app.get(Logger));
    await app.init();

    const answer = await app.inject({ url: '/' });
    live.publish(options({ level: 'error' }));
    app.get<PlainLogger>(LOGGER).info('too low');
    app.get(Greeter).logger.info('too low');
    app.get(Logger).error(new Error('broken'), 'Somewhere');
    await app.close();

    expect(answer.json()).toEqual({ middlewareRan: false });
    const lines = output.lines();
    expect(lines.find(({ msg }) => msg === 'hello')).toEqual({
      level: 'info',
      context: 'Greeter',
      token: '***',
      msg: 'hello',
    });
    expect(lines.some(({ msg }) => msg === 'too low')).toBe(false);
    expect(lines.find(({ level }) => level === 'error')).toMatchObject({
      context: 'Somewhere',
      err: { type: 'Error', message: 'broken' },
    });
    expect(lines.some(({ msg }) => typeof msg === 'string' && msg.includes('Mapped {/, GET}'))).toBe(true);
    expect(requestEndChannel.hasSubscribers).toBe(false);
  });
});
