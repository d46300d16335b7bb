import { create, fromBinary } from '@bufbuild/protobuf';
import { anyPack, DurationSchema, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { Controller } from '@nestjs/common';
import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { collect, failureOf, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { RookeryError, Status } from '../core/index.js';
import { toFailure } from '../pipeline/index.js';
import { failureOf as callFailureOf } from './handler-failure.js';
import { GrpcService, Rpc } from './rpc.decorator.js';
import { type StatusDetail, StatusError } from './status-error.js';

const { getUser, deleteUser, watchUsers } = UserService.method;

const text = (value: string): StatusDetail => anyPack(StringValueSchema, create(StringValueSchema, { value }));
const second = anyPack(DurationSchema, create(DurationSchema, { seconds: 1n }));
let details: readonly StatusDetail[] = [];

class TeapotError extends RookeryError {
  static override readonly reason = 'TEAPOT';
  static override readonly status = Status.FailedPrecondition;
}

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser(): never {
    throw new StatusError(Status.Aborted, 'in their words', details);
  }

  @Rpc()
  async *watchUsers() {
    yield { user: { id: '1' } };
    throw new StatusError(Status.DataLoss, 'torn', details);
  }

  @Rpc()
  deleteUser(): never {
    throw new TeapotError('short and stout');
  }
}

const start = (options = {}) => startGrpcApp({ controllers: [Users], options });

async function errorOf(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error('the call succeeded')),
    (error: unknown) => error as ServiceError,
  );
}

/** Details in a form that can be compared: a Buffer is no Uint8Array to `toEqual`. */
const plain = (all: readonly StatusDetail[]): string[] =>
  all.map(({ typeUrl, value }) => `${typeUrl} ${Buffer.from(value).toString('hex')}`);

function statusOf({ metadata }: ServiceError) {
  const {
    code,
    message,
    details: packed,
  } = fromBinary(StatusSchema, metadata.get('grpc-status-details-bin')[0] as Buffer);
  return { code, message, details: plain(packed) };
}

describe('StatusError', () => {
  it('tells code, message and its own details, and nothing of ours', async () => {
    await using app = await start();
    details = [text('one'), second];

    const error = await errorOf(unary(app.client, getUser, {}));

    expect([error.code, error.details]).toEqual([Status.Aborted, 'in their words']);
    expect(statusOf(error)).toEqual({
      code: Status.Aborted,
      message: 'in their words',
      details: plain(details),
    });
  });

  it('comes after messages as well', async () => {
    await using app = await start();
    details = [second];

    const error = await errorOf(collect(serverStream(app.client, watchUsers, {})));

    expect([error.code, statusOf(error).details]).toEqual([Status.DataLoss, plain(details)]);
  });

  it('sends no details where it has none', async () => {
    await using app = await start();
    details = [];

    const error = await errorOf(unary(app.client, getUser, {}));

    expect(error.metadata.get('grpc-status-details-bin')).toEqual([]);
  });

  it('leaves out details from the last on, where trailers would be too large', async () => {
    await using app = await start();
    details = [text('one'), text('x'.repeat(3000)), text('y'.repeat(3000))];

    const error = await errorOf(unary(app.client, getUser, {}));

    expect(statusOf(error).details).toEqual(plain(details.slice(0, 2)));
  });

  it('is recognised from another copy of the package', () => {
    class Copy extends RookeryError {
      readonly details = [second];
      override get status(): Status {
        return Status.Aborted;
      }
    }

    expect(callFailureOf(new Copy('x'))).toMatchObject({ status: Status.Aborted, details: [second] });
  });

  it('answers on REST by the HTTP status of its code', () => {
    expect(toFailure(new StatusError(Status.Aborted, 'in their words'))).toMatchObject({
      status: Status.Aborted,
      httpStatus: 409,
      reason: 'ABORTED',
      message: 'in their words',
    });
  });

  it.each([0, 17, -1, 1.5])('is no error with status %s', (status) => {
    expect(() => new StatusError(status as Status, 'x')).toThrow(RangeError);
  });
});

describe('grpc.errorDetails', () => {
  it('keeps our details back when it is off, not those of a StatusError', async () => {
    await using app = await start({ errorDetails: false });
    details = [second];

    const own = await errorOf(unary(app.client, deleteUser, {}));
    const theirs = await errorOf(unary(app.client, getUser, {}));

    expect([own.code, own.details]).toEqual([Status.FailedPrecondition, 'short and stout']);
    expect(own.metadata.get('grpc-status-details-bin')).toEqual([]);
    expect(statusOf(theirs).details).toEqual(plain(details));
  });

  it('sends them otherwise', async () => {
    await using app = await start();

    expect(await failureOf(unary(app.client, deleteUser, {}))).toMatchObject({ reason: 'TEAPOT' });
  });
});
