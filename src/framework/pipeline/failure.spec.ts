import {
  BadGatewayException,
  BadRequestException,
  ForbiddenException,
  HttpException,
  InternalServerErrorException,
  NotFoundException,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import {
  type ErrorOrigin,
  CancelledError,
  Deadline,
  DeadlineExceededError,
  RookeryError,
  Status,
  TooManyRequestsInFlightError,
} from '../core/index.js';
import { upstreamOf } from './foreign-error.js';
import { toFailure } from './failure.js';

describe('toFailure', () => {
  it.each([
    [new DeadlineExceededError(5), Status.DeadlineExceeded, 504, 'DEADLINE_EXCEEDED', 'deadline exceeded after 5 ms'],
    [new NotFoundException('no such thing'), Status.NotFound, 404, 'NOT_FOUND', 'no such thing'],
    [new ForbiddenException(), Status.PermissionDenied, 403, 'PERMISSION_DENIED', 'Forbidden'],
    [new BadRequestException(['a', 'b']), Status.InvalidArgument, 400, 'INVALID_ARGUMENT', 'a; b'],
    [new HttpException('teapot', 418), Status.InvalidArgument, 418, 'INVALID_ARGUMENT', 'teapot'],
    [new ServiceUnavailableException('later'), Status.Unavailable, 503, 'UNAVAILABLE', 'later'],
    [
      new RpcException({ code: 9, message: 'not now' }),
      Status.FailedPrecondition,
      400,
      'FAILED_PRECONDITION',
      'not now',
    ],
    [new RpcException('Forbidden resource'), Status.PermissionDenied, 403, 'PERMISSION_DENIED', 'forbidden'],
  ])('tells what %s declares', (error, status, httpStatus, reason, message) => {
    expect(toFailure(error)).toMatchObject({ status, httpStatus, reason, message });
  });

  it.each([
    new Error('password=hunter2'),
    'hunter2',
    undefined,
    null,
    42,
    { statusCode: 404, message: 'hunter2' },
    new InternalServerErrorException('hunter2'),
  ])('tells nothing of %s', (error) => {
    const failure = toFailure(error);

    expect(failure).toMatchObject({
      status: Status.Internal,
      httpStatus: 500,
      reason: 'INTERNAL',
      message: 'internal error',
      isFault: true,
    });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  it('finds the reason of an aborted wait in its cause', () => {
    const abort = new Error('aborted', { cause: new DeadlineExceededError(7) });
    abort.name = 'AbortError';

    expect(toFailure(abort)).toMatchObject({ reason: 'DEADLINE_EXCEEDED', isFault: false });
  });

  it('carries when to try again', () => {
    expect(toFailure(new TooManyRequestsInFlightError(1))).toMatchObject({ httpStatus: 503, retryAfterMs: 1000 });
  });
});

// What no client may see: words and addresses of others.
const foreign = 'foreign-7f3a';

const withFields = (error: Error, fields: object): Error => Object.assign(error, fields);
const grpcError = (code: number, details = `${foreign} said so`): Error =>
  withFields(new Error(`${code} NAME: ${details}`), { code, details, metadata: { internalRepr: new Map() } });
const refused = (): Error =>
  withFields(new Error(`connect ECONNREFUSED 10.0.0.1:${foreign}`), {
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '10.0.0.1',
    port: 5000,
  });
const named = (name: string, text = foreign): Error => withFields(new Error(text), { name });

class OwnError extends RookeryError {
  static override readonly reason = 'OWN';
  static override readonly status: Status = Status.Unavailable;
}

class ForeignError extends RookeryError {
  static override readonly reason = foreign;
  static override readonly status = Status.Unauthenticated;
  override get origin(): ErrorOrigin {
    return 'foreign';
  }
}

const unavailable = {
  status: Status.Unavailable,
  httpStatus: 503,
  reason: 'UPSTREAM_UNAVAILABLE',
  message: 'a service that this one needs is not available',
  violations: [],
  metadata: {},
  retryAfterMs: undefined,
  httpHeaders: {},
  fault: 'upstream',
  isFault: true,
};
const failed = {
  ...unavailable,
  status: Status.Internal,
  httpStatus: 500,
  reason: 'UPSTREAM_FAILED',
  message: 'a service that this one needs has failed',
};

describe('toFailure of a call to another service', () => {
  it.each<[string, unknown]>([
    ['UNAVAILABLE of grpc-js', grpcError(Status.Unavailable)],
    ['RESOURCE_EXHAUSTED of grpc-js', grpcError(Status.ResourceExhausted)],
    ['DEADLINE_EXCEEDED of grpc-js', grpcError(Status.DeadlineExceeded)],
    ['CANCELLED of grpc-js', grpcError(Status.Cancelled)],
    ['a refused connection', refused()],
    ['a name that fails', withFields(new Error(`getaddrinfo ENOTFOUND ${foreign}`), { code: 'ENOTFOUND' })],
    ...['connect EADDRNOTAVAIL', 'connect EACCES', 'connect ENOENT', 'queryA ESERVFAIL', 'queryMx ETIMEOUT'].flatMap(
      (text): [string, unknown][] => {
        const [syscall, code] = text.split(' ');
        const error = withFields(new Error(`${text} ${foreign}`), { syscall, code });
        return [
          [text, error],
          [`a declared error that quotes ${text}`, new OwnError(`cannot: ${error.message}`, { cause: error })],
          [`HttpException with the text of ${text}`, new ServiceUnavailableException(error.message)],
        ];
      },
    ),
    ...['connect EHOSTDOWN 10.0.0.5:80', 'connect ENETDOWN 10.0.0.5:80', 'getaddrinfo EAI_FAIL db.internal'].map(
      (text): [string, unknown] => [`HttpException with ${text}`, new ServiceUnavailableException(text)],
    ),
    [
      'HttpException with a name that a certificate does not have',
      new ServiceUnavailableException(`Hostname/IP does not match certificate's altnames: Host: ${foreign}.`),
    ],
    ['a reset connection', withFields(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
    ['all addresses refused', withFields(new AggregateError([refused()]), { code: 'ECONNREFUSED' })],
    ['an aggregate without a code', new AggregateError([refused()], foreign)],
    ['fetch', new TypeError('fetch failed', { cause: refused() })],
    ['undici', withFields(new Error(foreign), { code: 'UND_ERR_HEADERS_TIMEOUT', name: 'HeadersTimeoutError' })],
    ['a certificate', withFields(new Error(foreign), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })],
    ['an HTTP client that got no response', withFields(new Error(foreign), { isAxiosError: true, code: 'ERR_X' })],
    ['an HTTP client that got 503', withFields(new Error(foreign), { response: { status: 503 } })],
    ['an HTTP client that got 429', withFields(new Error(foreign), { response: { statusCode: 429 } })],
    ['a time limit of the call', named('TimeoutError')],
    ['a call that was given up', named('AbortError')],
    ['ConnectError', withFields(named('ConnectError'), { code: 14, rawMessage: foreign })],
    ['a database that goes down', withFields(new Error(foreign), { severity: 'FATAL', code: '57P01' })],
    ['what wraps one of them', new Error(foreign, { cause: new Error('outer', { cause: refused() }) })],
    ['RpcException around one', new RpcException(grpcError(Status.Unavailable))],
    ['HttpException with its text', new ServiceUnavailableException(`connect ECONNREFUSED 10.0.0.1:${foreign}`)],
    ['HttpException made of one', new HttpException(refused(), 502)],
    ['HttpException caused by one', new BadGatewayException(foreign, { cause: refused() })],
    ['a status object', { code: 14, details: foreign, metadata: {} }],
    ['a declared error with its text', new OwnError(`cannot: connect ECONNREFUSED ${foreign}`)],
    ['a declared error that quotes its cause', new OwnError(`cannot: ${foreign} said so`, { cause: grpcError(14) })],
  ])('is UPSTREAM_UNAVAILABLE for %s', (_, error) => {
    expect(toFailure(error)).toEqual(unavailable);
  });

  it.each<[string, unknown]>([
    ['UNAUTHENTICATED of grpc-js', grpcError(Status.Unauthenticated)],
    ['NOT_FOUND of grpc-js', grpcError(Status.NotFound)],
    ['INTERNAL of grpc-js', grpcError(Status.Internal)],
    ['an HTTP client that got 401', withFields(new Error(foreign), { response: { status: 401, data: foreign } })],
    ['a wrapper that copies the status', withFields(new Error(foreign), { statusCode: 401 })],
    ['a wrapper that copies all of it', withFields(new Error(foreign), { status: 404, error: 'Not Found' })],
    [
      "another Fastify's refusal",
      withFields(new Error(foreign), { statusCode: 401, code: 'FST_JWT_NO_AUTHORIZATION_IN_HEADER' }),
    ],
    ['ConnectError', withFields(named('ConnectError'), { code: 16, rawMessage: foreign })],
    ['RpcException around one', new RpcException(grpcError(Status.Unauthenticated))],
    ['RpcException with its text', new RpcException(`14 UNAVAILABLE: No connection established to ${foreign}`)],
    ['HttpException with its text', new UnauthorizedException('Request failed with status code 401')],
    ['HttpException that quotes its cause', new UnauthorizedException(`${foreign} said so`, { cause: grpcError(16) })],
    ['HttpException made of one', new HttpException(grpcError(Status.Unauthenticated), 401)],
    ['a remote error', new ForeignError(foreign, { metadata: { a: foreign }, retryAfterMs: 5 })],
    ['what wraps a remote error', new Error(foreign, { cause: new ForeignError(foreign) })],
  ])('is UPSTREAM_FAILED for %s', (_, error) => {
    expect(toFailure(error)).toEqual(failed);
  });

  it("keeps the application's own words about it, and knows whose fault it was", () => {
    expect(toFailure(new OwnError('the users are away', { cause: refused() }))).toMatchObject({
      status: Status.Unavailable,
      reason: 'OWN',
      message: 'the users are away',
      fault: 'upstream',
    });
    expect(toFailure(new NotFoundException('no such user', { cause: grpcError(Status.NotFound) }))).toMatchObject({
      status: Status.NotFound,
      httpStatus: 404,
      message: 'no such user',
      fault: 'client',
    });
    expect(toFailure(new OwnError('own defect'))).toMatchObject({ message: 'own defect', fault: 'service' });
  });

  it.each([
    ['ENOENT', withFields(new Error(`open ${foreign}`), { code: 'ENOENT', syscall: 'open' })],
    ['EMFILE', withFields(new Error(foreign), { code: 'EMFILE', syscall: 'accept' })],
    ['a wrong statement', withFields(new Error(foreign), { severity: 'ERROR', code: '42601' })],
    ['an error of http-errors', withFields(new Error(foreign), { statusCode: 404, expose: true })],
    ['a text for an error', new HttpException(new Error(foreign), 500)],
  ])('is no matter of another service: %s', (_, error) => {
    expect(toFailure(error)).toMatchObject({ reason: 'INTERNAL', message: 'internal error', fault: 'service' });
  });

  it('names the other side for the log, without path, query or password', () => {
    const asked = { config: { url: '/x?token=y', baseURL: 'http://u:p@users:81/v1?a=b' } };

    expect(upstreamOf(new Error('outer', { cause: refused() }))).toBe('10.0.0.1:5000');
    expect(upstreamOf(withFields(new Error(foreign), asked))).toBe('users:81');
    expect(upstreamOf(new RpcException(refused()))).toBe('10.0.0.1:5000');
    expect(upstreamOf(new HttpException(refused(), 502))).toBe('10.0.0.1:5000');
    expect(upstreamOf(withFields(new Error(foreign), { peer: 'users:80' }))).toBe('users:80');
    expect(upstreamOf(withFields(new Error(foreign), { hostname: 'users' }))).toBe('users');
    expect(upstreamOf(undefined)).toBeUndefined();
  });

  it('ends with a chain of causes that goes round', () => {
    const [one, two] = [new Error(foreign), new Error(foreign)];
    one.cause = two;
    two.cause = one;

    expect(toFailure(one)).toMatchObject({ reason: 'INTERNAL' });
  });
});

describe('toFailure once the request is over', () => {
  const late = [
    grpcError(Status.Cancelled),
    grpcError(Status.Unavailable),
    named('AbortError'),
    new Error(foreign),
    foreign,
  ];

  it.each(late)("tells the client's cancellation, whatever failed of it: %s", (error) => {
    const deadline = new Deadline(5000);
    deadline.cancel();

    expect(toFailure(error, deadline)).toMatchObject({
      status: Status.Cancelled,
      httpStatus: 499,
      reason: CancelledError.reason,
      fault: 'client',
      isFault: false,
    });
  });

  it.each([
    [new Deadline(2, true, undefined, 1000), 'client'],
    [new Deadline(2), 'service'],
  ])('tells the deadline, and whose it was', async (deadline, fault) => {
    await new Promise((resolve) => deadline.onFire(resolve));

    expect(toFailure(grpcError(Status.Cancelled), deadline)).toMatchObject({
      status: Status.DeadlineExceeded,
      httpStatus: 504,
      reason: DeadlineExceededError.reason,
      message: 'deadline exceeded after 2 ms',
      fault,
    });
  });

  it('tells the deadline where the call to the other service comes upon it a little earlier', () => {
    const [near, far] = [new Deadline(20), new Deadline(5000)];

    expect(toFailure(grpcError(Status.DeadlineExceeded), near)).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(toFailure(named('TimeoutError'), near)).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(toFailure(refused(), near)).toMatchObject({ reason: 'UPSTREAM_UNAVAILABLE' });
    expect(toFailure(grpcError(Status.DeadlineExceeded), far)).toMatchObject({ reason: 'UPSTREAM_UNAVAILABLE' });
    for (const deadline of [near, far]) deadline.close();
  });

  it('leaves a declared error what it is', () => {
    const deadline = new Deadline(5000);
    deadline.cancel();

    expect(toFailure(new OwnError('declared'), deadline)).toMatchObject({ reason: 'OWN', message: 'declared' });
  });

  it("blames the client for what a handler puts around the request's own fault", () => {
    class BrokenError extends RookeryError {
      static override readonly reason = 'BROKEN';
      static override readonly status = Status.InvalidArgument;
    }

    expect(toFailure(new Error('upload failed', { cause: new BrokenError('cut') }))).toMatchObject({
      reason: 'INTERNAL',
      fault: 'client',
    });
  });
});
