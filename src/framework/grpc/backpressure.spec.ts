import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { map, type Observable, range, tap, throwError } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { http2ConnectionOptions } from '../http2/index.js';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { collect, failureOf, frame, rawAnswer, rawStream, serverStream } from '../../../test/support/grpc-calls.js';
import { LogEntrySchema, LogService, UploadSummarySchema } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { RookeryError, Status } from '../core/index.js';
import { GrpcService, Rpc } from './rpc.decorator.js';
import { GrpcOptions } from './grpc.options.js';

const { watchUsers } = UserService.method;
const text = 'x'.repeat(1024);

const produced = { count: 0, isReturned: false };

@Injectable()
class Counter implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      tap(() => {
        intercepted += 1;
      }),
      map((message: { user?: { email?: string } }) => ({ ...message, user: { ...message.user, email: 'seen' } })),
    );
  }
}
let intercepted = 0;

class TeapotError extends RookeryError {
  static override readonly reason = 'TEAPOT';
  static override readonly status = Status.FailedPrecondition;
}

@Catch(TypeError)
class TypeErrorFilter implements ExceptionFilter {
  catch(_error: TypeError, _host: ArgumentsHost): Observable<never> {
    return throwError(() => new TeapotError('filtered'));
  }
}

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  async *watchUsers() {
    try {
      for (; produced.count < 100_000; produced.count += 1) yield { user: { displayName: text } };
    } finally {
      produced.isReturned = true;
    }
  }
}

@Controller()
@GrpcService(UserService)
class ObservableUsers {
  @Rpc()
  watchUsers(): Observable<{ user: { displayName: string } }> {
    return range(0, 100_000).pipe(
      tap(() => {
        produced.count += 1;
      }),
      map(() => ({ user: { displayName: text } })),
    );
  }
}

@Controller()
@UseInterceptors(Counter)
@UseFilters(TypeErrorFilter)
@GrpcService(UserService)
class Intercepted {
  @Rpc()
  async *watchUsers({ includeExisting }: { includeExisting: boolean }) {
    for (let id = 1; id <= 3; id += 1) yield { user: { id: String(id) } };
    if (includeExisting) throw new TypeError('inside');
  }
}

let release = Promise.withResolvers<void>();

@Controller()
@GrpcService(LogService)
class SlowLogs {
  @Rpc()
  async upload(entries: AsyncIterable<{ message: string }>) {
    let accepted = 0n;
    for await (const _ of entries) {
      accepted += 1n;
      if (accepted === 1n) await release.promise;
    }
    return { accepted };
  }
}

describe('a reader that is slower than the service', () => {
  it('holds a generator back, and gets every message in the end', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });
    Object.assign(produced, { count: 90_000, isReturned: false });
    const stream = rawStream(app.connect(), watchUsers);
    stream.end(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(produced.count).toBeGreaterThan(90_000));

    // The stream's window of 64 KiB, and no more.
    expect(await steady(() => produced.count)).toBeLessThan(90_150);

    const { body, status } = await rawAnswer(stream);
    expect(status).toBe(Status.Ok);
    expect(body.length).toBeGreaterThan(10_000 * 1024);
  }, 20_000);

  it("holds back a generator that Nest's own decorator is on", async () => {
    @Controller()
    class NestUsers {
      @GrpcMethod('UserService')
      async *watchUsers() {
        for (; produced.count < 100_000; produced.count += 1) yield { user: { displayName: text } };
      }
    }
    await using app = await startGrpcApp({ controllers: [NestUsers], services: [UserService] });
    produced.count = 99_000;
    const stream = rawStream(app.connect(), watchUsers);
    stream.end(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(produced.count).toBeGreaterThan(99_000));

    expect(await steady(() => produced.count)).toBeLessThan(99_150);
    expect(await rawAnswer(stream)).toMatchObject({ status: Status.Ok });
  });

  it('is let go when an Observable outruns the bound', async () => {
    await using app = await startGrpcApp({ controllers: [ObservableUsers], options: { maxQueuedMessages: 50 } });
    produced.count = 0;
    const stream = serverStream(app.client, watchUsers, {});

    const failure = await failureOf(collect(stream));

    expect(failure).toMatchObject({ code: Status.ResourceExhausted, reason: 'SLOW_READER' });
    expect(produced.count).toBeLessThan(1000);
  });

  it('is let go by the bound in bytes, too', async () => {
    await using app = await startGrpcApp({ controllers: [ObservableUsers], options: { maxQueuedBytes: 10_000 } });
    produced.count = 0;

    const failure = await failureOf(collect(serverStream(app.client, watchUsers, {})));

    expect(failure).toMatchObject({ code: Status.ResourceExhausted, reason: 'SLOW_READER' });
    expect(produced.count).toBeLessThan(1000);
  });

  it('is let go by the bounds of the moment at which its call came', async () => {
    await using app = await startGrpcApp({ controllers: [ObservableUsers] });
    const reasons = [];
    for (const bound of [{ maxQueuedMessages: 50 }, { maxQueuedBytes: 10_000 }]) {
      app.options.publish(Object.assign(new GrpcOptions(), bound));
      produced.count = 0;
      reasons.push(await failureOf(collect(serverStream(app.client, watchUsers, {}))), produced.count < 1000);
    }

    const refused = expect.objectContaining({ reason: 'SLOW_READER' }) as unknown;
    expect(reasons).toEqual([refused, true, refused, true]);
  });

  it('ends a generator that waits for it by going away', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });
    Object.assign(produced, { count: 0, isReturned: false });
    const session = app.connect();
    const stream = rawStream(session, watchUsers);
    stream.on('error', () => {});
    stream.end(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(produced.count).toBeGreaterThan(0));
    await steady(() => produced.count);

    session.destroy();

    await vi.waitFor(() => expect(produced.isReturned).toBe(true));
    expect(app.grpc.activeCalls).toBe(0);
  });
});

describe('a service that is slower than the writer', () => {
  it('holds the writer back, and reads every message in the end', async () => {
    await using app = await startGrpcApp({ controllers: [SlowLogs] });
    release = Promise.withResolvers();
    const stream = rawStream(app.connect(), LogService.method.upload);
    const answer = rawAnswer(stream);
    const message = frame(toBinary(LogEntrySchema, create(LogEntrySchema, { message: text })));
    let written = 0;
    const writeAll = (async () => {
      for (; written < 5000; written += 1) {
        if (!stream.write(message)) await new Promise((resolve) => stream.once('drain', resolve));
      }
      stream.end();
    })();

    // The stream's window, and 64 KiB waiting on the writer's side.
    const atMostBytes = http2ConnectionOptions().streamWindowBytes + 65_536;
    expect((await steady(() => written)) * message.length).toBeLessThan(atMostBytes);
    release.resolve();

    await writeAll;
    const { body, status } = await answer;
    expect(status).toBe(Status.Ok);
    expect(fromBinary(UploadSummarySchema, body.subarray(5)).accepted).toBe(5000n);
  });
});

describe('interceptors and filters of Nest', () => {
  it('see each message of a generator', async () => {
    await using app = await startGrpcApp({ controllers: [Intercepted] });
    intercepted = 0;

    const users = (await collect(serverStream(app.client, watchUsers, {}))).map(({ user }) => ({
      id: user?.id,
      email: user?.email,
    }));

    expect(users).toEqual(['1', '2', '3'].map((id) => ({ id, email: 'seen' })));
    expect(intercepted).toBe(3);
  });

  it('see the error of a generator', async () => {
    await using app = await startGrpcApp({ controllers: [Intercepted] });

    const failure = await failureOf(collect(serverStream(app.client, watchUsers, { includeExisting: true })));

    expect(failure).toMatchObject({ code: Status.FailedPrecondition, reason: 'TEAPOT', details: 'filtered' });
  });
});

// Waits until `read()` gives the same over 20 looks with I/O in between.
async function steady(read: () => number): Promise<number> {
  let last = read();
  for (let same = 0; same < 20; same += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const now = read();
    if (now !== last) same = 0;
    last = now;
  }
  return last;
}
