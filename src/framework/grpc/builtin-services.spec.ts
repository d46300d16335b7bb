import { once } from 'node:events';
import {
  create,
  createFileRegistry,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { type GrpcApp, startGrpcApp } from '../../../test/support/grpc-app.js';
import { bidiStream, collect, failureOf, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../../gen/grpc/health/v1/health_pb.js';
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { HealthSource, RookeryError, Status } from '../core/index.js';
import { GrpcOptions } from './grpc.options.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

class Switchboard extends HealthSource {
  readonly listeners = new Set<() => void>();
  readonly #statuses = new Map<string, 'SERVING' | 'NOT_SERVING'>([
    ['', 'SERVING'],
    ['user.service.v1.UserService', 'SERVING'],
  ]);
  status(service: string): 'SERVING' | 'NOT_SERVING' | undefined {
    return this.#statuses.get(service);
  }
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  services(): string[] {
    return [...this.#statuses.keys()];
  }
  set(service: string, status: 'SERVING' | 'NOT_SERVING'): void {
    this.#statuses.set(service, status);
    for (const listener of [...this.listeners]) listener();
  }
}

class ResourceClosed extends RookeryError {
  static override readonly reason = 'TEST_CLOSED';
  static override readonly status = Status.PermissionDenied;

  constructor() {
    super('closed');
  }
}

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser(): Promise<object> {
    return new Promise(() => {});
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  upload(): object {
    return {};
  }
}

const { check, watch, list } = Health.method;

describe('grpc.health.v1', () => {
  it('tells the status of the process and of each service', async () => {
    const health = new Switchboard();
    await using app = await startGrpcApp({ health });
    health.set('user.service.v1.UserService', 'NOT_SERVING');

    expect((await unary(app.client, check, {})).value.status).toBe(ServingStatus.SERVING);
    expect((await unary(app.client, check, { service: 'user.service.v1.UserService' })).value.status).toBe(
      ServingStatus.NOT_SERVING,
    );
    expect(await failureOf(unary(app.client, check, { service: 'nobody' }))).toMatchObject({
      code: Status.NotFound,
      details: 'unknown service',
    });
    expect(Object.keys((await unary(app.client, list, {})).value.statuses)).toEqual([
      '',
      'user.service.v1.UserService',
    ]);
  });

  it('tells every change, and first what is', async () => {
    const health = new Switchboard();
    await using app = await startGrpcApp({ health });
    const stream = serverStream(app.client, watch, { service: 'late' });
    stream.on('error', () => {});
    const statuses = stream[Symbol.asyncIterator]();

    expect((await statuses.next()).value?.status).toBe(ServingStatus.SERVICE_UNKNOWN);
    health.set('late', 'SERVING');
    expect((await statuses.next()).value?.status).toBe(ServingStatus.SERVING);
    health.set('other', 'SERVING');
    health.set('late', 'NOT_SERVING');
    expect((await statuses.next()).value?.status).toBe(ServingStatus.NOT_SERVING);
    stream.cancel();

    await expect.poll(() => health.listeners.size).toBe(0);
  });

  it('ends the watch when the process drains, after the last change', async () => {
    const health = new Switchboard();
    await using app = await startGrpcApp({ health });
    const stream = serverStream(app.client, watch, {});
    const statuses: number[] = [];
    stream.on('data', ({ status }) => {
      statuses.push(status);
      if (statuses.length > 1) return;
      app.lifecycle.advance('draining');
      health.set('', 'NOT_SERVING');
    });

    const [error] = (await once(stream, 'error')) as [{ code: number }];

    expect(statuses).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
    expect(error.code).toBe(Status.Unavailable);
  });

  it('answers over the concurrency limit', async () => {
    await using app = await startGrpcApp({
      controllers: [Users],
      health: new Switchboard(),
      limits: { maxConcurrentRequests: 1 },
    });
    const waiting = failureOf(unary(app.client, UserService.method.getUser, {}, { deadline: Date.now() + 300 }));
    await expect.poll(() => app.grpc.activeCalls).toBe(1);

    expect((await unary(app.client, check, {})).value.status).toBe(ServingStatus.SERVING);
    expect(await failureOf(unary(app.client, UserService.method.getUser, {}))).toMatchObject({
      code: Status.Unavailable,
    });
    expect((await waiting).code).toBe(Status.DeadlineExceeded);
  });
});

describe('grpc.health.v1 for callers who may not see names', () => {
  it('lists the process as a whole, and tells of a service that is named', async () => {
    await using app = await startGrpcApp({ health: new Switchboard(), showsServices: () => false });

    expect((await unary(app.client, list, {})).value.statuses).toEqual({
      '': expect.objectContaining({ status: ServingStatus.SERVING }) as unknown,
    });
    expect((await unary(app.client, check, { service: 'user.service.v1.UserService' })).value.status).toBe(
      ServingStatus.SERVING,
    );
  });
});

describe('a server that is closed', () => {
  it('refuses calls, and still tells its health', async () => {
    await using app = await startGrpcApp({ controllers: [Users], health: new Switchboard() });
    app.grpc.close();

    expect((await unary(app.client, check, {})).value.status).toBe(ServingStatus.SERVING);
    expect(await failureOf(unary(app.client, UserService.method.getUser, {}))).toMatchObject({
      code: Status.Unavailable,
      reason: 'DRAINING',
    });
  });
});

type Response = MessageShape<typeof ServerReflectionResponseSchema>;
type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']>;

describe.each([
  ['v1', ServerReflection],
  ['v1alpha', ServerReflectionAlpha],
] as const)('grpc.reflection.%s', (_version, service) => {
  const ask = async (...questions: Question[]): Promise<Response[]> => {
    await using app = await startGrpcApp({ controllers: [Users, Logs], health: new Switchboard() });
    return await askOf(app, questions);
  };
  const askOf = (app: GrpcApp, questions: readonly Question[], host = 'h'): Promise<Response[]> => {
    const call = bidiStream(app.client, (service as typeof ServerReflection).method.serverReflectionInfo);
    for (const messageRequest of questions) call.write({ host, messageRequest });
    call.end();
    return collect(call);
  };
  const bytesIn = (answers: readonly Response[]): number =>
    answers
      .flatMap(({ messageResponse: { case: kind, value } }) =>
        kind === 'fileDescriptorResponse' ? value.fileDescriptorProto : [],
      )
      .reduce((sum, { byteLength }) => sum + byteLength, 0);
  const times = (count: number): Question[] => Array.from({ length: count }, () => ({ ...userFile }));
  const userFile: Question = { case: 'fileByFilename', value: 'user/service/v1/user.proto' };
  const files = (answer: Response | undefined) =>
    answer?.messageResponse.case === 'fileDescriptorResponse'
      ? answer.messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      : [];

  it('lists the services', async () => {
    const [answer] = await ask({ case: 'listServices', value: '*' });

    expect(answer).toMatchObject({
      validHost: 'h',
      originalRequest: { host: 'h', messageRequest: { case: 'listServices', value: '*' } },
    });
    expect(
      answer?.messageResponse.case === 'listServicesResponse' &&
        answer.messageResponse.value.service.map(({ name }) => name),
    ).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'log.service.v1.LogService',
      'user.service.v1.UserService',
    ]);
  });

  it('gives a file with all it imports, from which the service can be built', async () => {
    const [answer] = await ask({ case: 'fileByFilename', value: 'user/service/v1/user.proto' });

    const set = create(FileDescriptorSetSchema, { file: files(answer).reverse() });
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)));
    expect(registry.getService('user.service.v1.UserService')?.methods.map(({ name }) => name)).toContain('GetUser');
    expect(set.file.map(({ name }) => name)).toContain('google/protobuf/timestamp.proto');
  });

  it.each([
    'user.service.v1.UserService',
    'user.service.v1.UserService.GetUser',
    'user.service.v1.User',
    '.user.service.v1.User',
    'user.service.v1.User.display_name',
    'user.service.v1.UserChange.Kind',
    'user.service.v1.UserChange.KIND_UPSERTED',
  ])('finds %s', async (symbol) => {
    const [answer] = await ask({ case: 'fileContainingSymbol', value: symbol });

    expect(files(answer)[0]?.name).toBe('user/service/v1/user.proto');
  });

  it.each([
    'log.service.v1.UploadSummary.AcceptedByLevelEntry',
    'log.service.v1.UploadSummary.AcceptedByLevelEntry.key',
    'log.service.v1.UploadSummary.AcceptedByLevelEntry.value',
  ])('finds %s, of a map', async (symbol) => {
    const [answer] = await ask({ case: 'fileContainingSymbol', value: symbol });

    expect(files(answer)[0]?.name).toBe('log/service/v1/log.proto');
  });

  it('knows the entry of a map as a type', async () => {
    const [answer] = await ask({
      case: 'allExtensionNumbersOfType',
      value: 'log.service.v1.UploadSummary.AcceptedByLevelEntry',
    });

    expect(answer?.messageResponse.case).toBe('allExtensionNumbersResponse');
  });

  it('sends a file once in a stream, save the one asked for', async () => {
    const answers = await ask(
      { case: 'fileContainingSymbol', value: 'user.service.v1.User' },
      { case: 'fileContainingSymbol', value: 'user.service.v1.User' },
    );

    expect(files(answers[0]).length).toBeGreaterThan(1);
    expect(files(answers[1])).toHaveLength(1);
  });

  it('ends a stream that sends more requests than the options say', async () => {
    await using app = await startGrpcApp({ controllers: [Users], options: { maxReflectionRequests: 3 } });
    const listing: Question = { case: 'listServices', value: '' };

    expect(await askOf(app, [listing, listing, listing])).toHaveLength(3);
    expect(await failureOf(askOf(app, [listing, listing, listing, listing]))).toMatchObject({
      code: Status.ResourceExhausted,
      reason: 'REFLECTION_LIMIT',
      details: 'reflection stream exceeds 3 requests',
    });
  });

  it('ends a stream that has received more bytes than the options say, but for all descriptors sent once', async () => {
    await using app = await startGrpcApp({ controllers: [Users], options: { maxReflectionBytes: 1 } });
    const all = [userFile, { case: 'fileContainingSymbol', value: 'google.rpc.ErrorInfo' }] as const;
    const first = await askOf(app, all);
    const total = bytesIn(first);

    expect(total).toBeGreaterThan(2000);
    expect(await failureOf(askOf(app, times(100)))).toMatchObject({
      code: Status.ResourceExhausted,
      reason: 'REFLECTION_LIMIT',
    });
  });

  it('bounds the next stream by what the options say then', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });
    const many = times(20);
    const before = await askOf(app, many);

    app.options.publish(Object.assign(new GrpcOptions(), { maxReflectionBytes: 1, maxReflectionRequests: 1000 }));
    const byBytes = await failureOf(askOf(app, many));
    app.options.publish(Object.assign(new GrpcOptions(), { maxReflectionRequests: 19 }));
    const byRequests = await failureOf(askOf(app, many));

    expect(before).toHaveLength(20);
    expect(byBytes.details).toMatch(/^reflection stream exceeds \d+ bytes$/);
    expect(byRequests.details).toBe('reflection stream exceeds 19 requests');
  });

  it('sends an honest client all of its descriptors at less than 300 bytes for each byte of the request', async () => {
    await using app = await startGrpcApp({ controllers: [Users, Logs], health: new Switchboard() });
    const [answer] = await askOf(app, [userFile], '');
    const asked = userFile.value.length + 2;

    expect(bytesIn(answer === undefined ? [] : [answer]) / asked).toBeLessThan(300);
  });

  it.each<[string, Question, string]>([
    ['host', { case: 'listServices', value: '' }, 'h'.repeat(1025)],
    ['file', { case: 'fileByFilename', value: 'f'.repeat(1025) }, ''],
    ['symbol', { case: 'fileContainingSymbol', value: 's'.repeat(1025) }, ''],
    ['extended type', { case: 'fileContainingExtension', value: { containingType: 't'.repeat(1025) } }, ''],
    ['type', { case: 'allExtensionNumbersOfType', value: 't'.repeat(1025) }, ''],
    ['list', { case: 'listServices', value: 'l'.repeat(1025) }, ''],
  ])('copies no %s of any length into its responses', async (_what, question, host) => {
    await using app = await startGrpcApp({ controllers: [Users] });

    expect(await failureOf(askOf(app, [question], host))).toMatchObject({
      code: Status.InvalidArgument,
      reason: 'REFLECTION_NAME',
      details: 'reflection request: name of 1025 characters (expected: at most 1024)',
    });
  });

  it('asks who is there before anything else, once for a stream', async () => {
    const asked: string[] = [];
    const access = {
      admitOperator: (scope: string) => {
        asked.push(scope);
        if (asked.length > 1) throw new ResourceClosed();
        return Promise.resolve(true);
      },
    };
    await using app = await startGrpcApp({ controllers: [Users], options: { reflection: 'token' }, access });

    expect(await askOf(app, [userFile, userFile])).toHaveLength(2);
    expect(await failureOf(askOf(app, [userFile]))).toMatchObject({ code: Status.PermissionDenied });
    expect(asked).toEqual(['docs:read', 'docs:read']);
  });

  it('is closed where it wants a token and nothing can check one, and absent where it is off', async () => {
    await using closed = await startGrpcApp({ controllers: [Users], options: { reflection: 'token' } });
    await using off = await startGrpcApp({ controllers: [Users], options: { reflection: 'off' } });

    expect(await failureOf(askOf(closed, [userFile]))).toMatchObject({ reason: 'REFLECTION_CLOSED' });
    expect(await failureOf(askOf(off, [userFile]))).toMatchObject({
      code: Status.Unimplemented,
      reason: 'RPC_NOT_FOUND',
    });
  });

  it.each<[string, Question, number]>([
    ['file', { case: 'fileByFilename', value: 'no.proto' }, Status.NotFound],
    ['symbol', { case: 'fileContainingSymbol', value: 'no.Symbol' }, Status.NotFound],
    [
      'extension',
      { case: 'fileContainingExtension', value: { containingType: 'user.service.v1.User', extensionNumber: 7 } },
      Status.NotFound,
    ],
    ['type', { case: 'allExtensionNumbersOfType', value: 'no.Type' }, Status.NotFound],
    ['question', { case: undefined }, Status.InvalidArgument],
  ])('answers an unknown %s by an error, and goes on', async (_what, question, errorCode) => {
    const answers = await ask(question, { case: 'allExtensionNumbersOfType', value: 'user.service.v1.User' });

    expect(answers[0]?.messageResponse).toMatchObject({ case: 'errorResponse', value: { errorCode } });
    expect(answers[1]?.messageResponse).toMatchObject({
      case: 'allExtensionNumbersResponse',
      value: { extensionNumber: [] },
    });
  });
});
