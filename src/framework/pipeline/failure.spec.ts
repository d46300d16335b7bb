import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  InternalServerErrorException,
  NotFoundException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { DeadlineExceededError, Status, TooManyRequestsInFlightError } from '../core/index.js';
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
