import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Status } from '../core/index.js';
import { toFailure, ValidationError } from '../pipeline/index.js';
import { RemoteError } from './client.errors.js';
import { failureOf } from './handler-failure.js';
import { PassedOnError, passOn } from './pass-on.js';

const detail = { typeUrl: 'type.googleapis.com/a.B', value: new Uint8Array([1]) };
const withFields = (message: string, fields: object): Error => Object.assign(new Error(message), fields);
const serviceError = (code: number, details: string): Error =>
  withFields(`${code} X: ${details}`, { code, details, metadata: new Metadata() });

describe('passOn', () => {
  it.each<[string, unknown, object]>([
    [
      'a RemoteError',
      new RemoteError(Status.NotFound, 'THEIRS', 'no such user', { metadata: { id: '1' }, details: [detail] }),
      {
        status: 5,
        httpStatus: 404,
        reason: 'THEIRS',
        message: 'no such user',
        metadata: { id: '1' },
        details: [detail],
      },
    ],
    [
      'what grpc-js throws',
      serviceError(Status.NotFound, 'no such user'),
      { status: 5, httpStatus: 404, reason: 'NOT_FOUND', message: 'no such user' },
    ],
    [
      'what Connect throws',
      withFields('[not_found] no such user', {
        code: Status.NotFound,
        rawMessage: 'no such user',
        details: [
          { type: 'a.B', value: detail.value },
          { desc: {}, value: {} },
        ],
      }),
      { status: 5, httpStatus: 404, reason: 'NOT_FOUND', message: 'no such user', details: [detail] },
    ],
    [
      'an HTTP client that has our envelope',
      withFields('Request failed', { response: { status: 418, data: { message: 'short and stout' } } }),
      { status: 3, httpStatus: 418, reason: 'INVALID_ARGUMENT', message: 'short and stout' },
    ],
    [
      'an HTTP client that has a problem document',
      withFields('Request failed', { response: { statusCode: 409, data: { detail: 'taken' } } }),
      { status: 6, httpStatus: 409, message: 'taken' },
    ],
    [
      'an HTTP client that has a text',
      withFields('Request failed', { response: { status: 409, data: 'taken' } }),
      { message: 'taken' },
    ],
    [
      'a wrapper that has the status',
      withFields('taken', { status: 409 }),
      { status: 6, httpStatus: 409, message: 'taken' },
    ],
  ])('carries status, message and details of %s', (_, error, told) => {
    expect(passOn(error)).toBeInstanceOf(PassedOnError);
    expect(failureOf(passOn(error))).toMatchObject({ violations: [], ...told });
  });

  it.each([
    [Status.NotFound, 'client', false],
    [Status.PermissionDenied, 'client', false],
    [Status.Internal, 'upstream', true],
    [Status.Unavailable, 'upstream', false],
    [Status.DeadlineExceeded, 'upstream', false],
  ] as const)('leaves the fault of status %i to %s', (status, fault, isFault) => {
    expect(toFailure(passOn(new RemoteError(status, 'THEIRS', 'theirs')))).toMatchObject({ status, fault, isFault });
  });

  it.each([
    [
      'a connection',
      serviceError(Status.Unavailable, 'No connection established. Last error: connect ECONNREFUSED 10.0.0.1'),
    ],
    ['the time limit', serviceError(Status.DeadlineExceeded, 'Deadline exceeded after 0.05s,remote_addr=10.0.0.1:80')],
    ['the own cancellation', serviceError(Status.Cancelled, 'Cancelled on client')],
    ['fetch', new TypeError('fetch failed', { cause: withFields('x', { code: 'ECONNREFUSED' }) })],
    ['a declared error', new ValidationError([])],
    ['a defect', new TypeError('x is not a function')],
  ])('gives an error about %s back as it is', (_, error) => {
    expect(passOn(error)).toBe(error);
  });

  it('makes an error of what is none', () => {
    expect(passOn('thrown')).toMatchObject({ reason: 'INTERNAL', message: 'internal error', cause: 'thrown' });
  });
});
