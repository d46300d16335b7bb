import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signTestToken } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSkipped, peer, peerTimeoutMs, run } from '../support/peers.js';
import { ReferenceApp } from '../support/reference-app.js';
import { tokens } from '../support/tokens.js';

/** What a Go program sees of a call. */
interface Result {
  readonly messages: readonly Record<string, unknown>[];
  readonly header: Readonly<Record<string, readonly string[]>> | null;
  readonly trailer: Readonly<Record<string, readonly string[]>> | null;
  readonly code: string;
  readonly message: string;
  readonly details: readonly Record<string, unknown>[];
}

describe.skipIf(isSkipped('go-client'))('a client by grpc-go', () => {
  let program: string;
  let app: ReferenceApp;

  beforeAll(async () => {
    program = await peer('go-client');
    app = await ReferenceApp.start();
  }, peerTimeoutMs);

  afterAll(() => app?.close());

  async function call(method: string, requests: readonly object[], ...flags: string[]): Promise<Result> {
    const { code, stdout, stderr } = await run(
      program,
      ['-address', app.test.address, '-method', method, ...flags],
      JSON.stringify(requests),
    );
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout.toString()) as Result;
  }

  const bearer = (token: string): [string, string] => ['-header', `authorization: Bearer ${token}`];

  it('gets a unary answer', async () => {
    const { messages, code, header } = await call(
      'user.service.v1.UserService/GetUser',
      [{ id: '1' }],
      '-header',
      'x-request-id: go-1',
    );

    expect(code).toBe('OK');
    expect(messages).toMatchObject([
      { id: '1', displayName: 'Alice', email: 'alice@example.com', role: 'developer', age: 34 },
    ]);
    expect(header).toMatchObject({ 'content-type': ['application/grpc'], 'x-request-id': ['go-1'] });
  });

  it('gets a server stream, whole and unharmed', async () => {
    const { messages, code } = await call('file.service.v1.FileService/Download', [{ name: 'sample.bin' }]);
    const content = Buffer.concat(messages.map(({ data = '' }) => Buffer.from(data as string, 'base64')));

    expect(code).toBe('OK');
    expect(content.equals(await readFile(join(app.files, 'sample.bin')))).toBe(true);
    expect(messages.at(-1)?.['sha256']).toBe(createHash('sha256').update(content).digest('base64'));
  });

  it('sends a client stream, compressed or not', async () => {
    const entries = Array.from({ length: 100 }, (_, index) => ({
      source: 'go',
      level: 'info',
      message: `line ${index}`,
    }));
    const token = bearer(signTestToken({ scope: 'logs:write' }));
    const plain = await call('log.service.v1.LogService/Upload', entries, ...token);
    const packed = await call('log.service.v1.LogService/Upload', entries, ...token, '-gzip');

    for (const { code, messages } of [plain, packed]) {
      expect(code).toBe('OK');
      expect(messages).toMatchObject([{ accepted: '100', acceptedByLevel: { info: '100' } }]);
    }
  });

  it('talks in both directions', async () => {
    const { messages, code } = await call(
      'chat.service.v1.ChatService/Join',
      [{ room: 'go' }, { text: 'one' }, { text: 'two' }],
      ...bearer(signTestToken({ sub: 'gopher' })),
      '-lockstep',
    );

    expect(code).toBe('OK');
    expect(messages.slice(0, 3)).toMatchObject([
      { kind: 'KIND_JOINED', room: 'go', sender: 'gopher' },
      { kind: 'KIND_MESSAGE', text: 'one' },
      { kind: 'KIND_MESSAGE', text: 'two' },
    ]);
  });

  it('cancels a watch, and the service forgets it', async () => {
    const { messages, code } = await call(
      'user.service.v1.UserService/WatchUsers',
      [{ includeExisting: true }],
      '-stop-at',
      '3',
    );

    expect(code).toBe('Canceled');
    expect(messages).toHaveLength(3);
  });

  it('lets its deadline pass', async () => {
    const { code } = await call('user.service.v1.UserService/WatchUsers', [{}], '-timeout', '2s');

    expect(code).toBe('DeadlineExceeded');
  });

  it('sends fields at their zero value the way Go does, and is understood', async () => {
    const { messages, code } = await call(
      'user.service.v1.UserService/CreateUser',
      [{ displayName: 'Newborn', email: 'newborn@example.com', role: 'viewer', age: 0 }],
      ...bearer(tokens.writer()),
    );
    const page = await call('user.service.v1.UserService/ListUsers', [{ pageSize: 0 }]);

    expect([code, page.code]).toEqual(['OK', 'OK']);
    expect(messages).toMatchObject([{ displayName: 'Newborn', age: 0 }]);
  });

  it('decodes the details of what it did wrong', async () => {
    const { code, message, details } = await call(
      'user.service.v1.UserService/CreateUser',
      [{ displayName: 'A', email: 'no', role: 'viewer', age: 151 }],
      ...bearer(tokens.writer()),
      '-header',
      'x-request-id: go-2',
    );

    expect([code, message]).toEqual(['InvalidArgument', 'email must be an email (and 1 more)']);
    expect(details).toEqual([
      { type: 'ErrorInfo', reason: 'VALIDATION_FAILED', domain: 'rookery', metadata: null },
      {
        type: 'BadRequest',
        violations: [
          { field: 'email', description: 'email must be an email', reason: 'IS_EMAIL' },
          { field: 'age', description: 'age must not be greater than 150', reason: 'MAX' },
        ],
      },
      { type: 'RequestInfo', requestId: 'go-2' },
    ]);
  });

  it.each([
    [
      'what is not there',
      'user.service.v1.UserService/GetUser',
      { id: '99' },
      [],
      'NotFound',
      'USER_NOT_FOUND',
      { id: '99' },
    ],
    [
      'what is taken',
      'user.service.v1.UserService/CreateUser',
      { displayName: 'A', email: 'alice@example.com', role: 'viewer' },
      bearer(tokens.writer()),
      'AlreadyExists',
      'USER_EMAIL_TAKEN',
      { email: 'alice@example.com' },
    ],
    [
      'a missing token',
      'user.service.v1.UserService/DeleteUser',
      { id: '1' },
      [],
      'Unauthenticated',
      'TOKEN_MISSING',
      null,
    ],
    [
      'a missing scope',
      'user.service.v1.UserService/DeleteUser',
      { id: '1' },
      bearer(tokens.reader()),
      'PermissionDenied',
      'SCOPE_MISSING',
      { required: 'users:write', missing: 'users:write' },
    ],
    [
      'an offset behind the end',
      'file.service.v1.FileService/Download',
      { name: 'welcome.txt', offset: '1000' },
      [],
      'OutOfRange',
      'FILE_OFFSET_OUT_OF_RANGE',
      { size: '20' },
    ],
  ])('decodes the details of %s', async (_, method, request, flags, code, reason, metadata) => {
    const result = await call(method, [request], ...flags);

    expect(result.code).toBe(code);
    expect(result.details[0]).toEqual({ type: 'ErrorInfo', reason, domain: 'rookery', metadata });
    expect(result.details.at(-1)).toMatchObject({
      type: 'RequestInfo',
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    });
  });

  it('decodes when to try again', async () => {
    const limited = await ReferenceApp.start({ 'quota.ratePerSecond': 1 });
    const ask = (): ReturnType<typeof run> =>
      run(
        program,
        ['-address', limited.test.address, '-method', 'user.service.v1.UserService/GetUser'],
        '[{"id": "1"}]',
      );
    // Whichever of these comes second within a second is refused.
    const results = (await Promise.all([ask(), ask(), ask(), ask()])).map(
      ({ stdout }) => JSON.parse(stdout.toString()) as Result,
    );
    await limited.close();
    const refused = results.find(({ code }) => code === 'ResourceExhausted');

    expect(refused?.details).toMatchObject([
      { type: 'ErrorInfo', reason: 'RATE_LIMITED' },
      { type: 'RetryInfo', delayMs: expect.any(Number) as unknown },
      { type: 'RequestInfo' },
    ]);
  });
});
