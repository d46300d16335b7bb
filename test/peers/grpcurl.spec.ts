import { signTestToken } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSkipped, peer, peerTimeoutMs, type Ran, run } from '../support/peers.js';
import { ReferenceApp } from '../support/reference-app.js';

describe.skipIf(isSkipped('grpcurl'))('grpcurl with reflection', () => {
  let program: string;
  let app: ReferenceApp;

  beforeAll(async () => {
    program = await peer('grpcurl');
    app = await ReferenceApp.start();
  }, peerTimeoutMs);

  afterAll(() => app?.close());

  const grpcurl = (...args: string[]): Promise<Ran> => run(program, ['-plaintext', ...args]);

  /** The JSON values that it printed one after the other. */
  function values({ stdout }: Ran): Record<string, unknown>[] {
    return JSON.parse(
      `[${stdout
        .toString()
        .trim()
        .replaceAll(/\}\s*\n\{/g, '},{')}]`,
    ) as Record<string, unknown>[];
  }

  it('lists the services', async () => {
    const { stdout, code } = await grpcurl(app.test.address, 'list');

    expect(code).toBe(0);
    expect(stdout.toString().trim().split('\n')).toEqual([
      'chat.service.v1.ChatService',
      'file.service.v1.FileService',
      'greeting.service.v1.GreetingService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'log.service.v1.LogService',
      'user.service.v1.UserService',
    ]);
  });

  it('describes a service and a message with what was removed from it', async () => {
    const service = await grpcurl(app.test.address, 'describe', 'user.service.v1.UserService');
    const message = await grpcurl(app.test.address, 'describe', 'user.service.v1.User');

    expect(service.stdout.toString()).toContain(
      'rpc WatchUsers ( .user.service.v1.WatchUsersRequest ) returns ( stream .user.service.v1.UserChange );',
    );
    expect(message.stdout.toString()).toContain('reserved 4, 6;');
    expect(message.stdout.toString()).toContain('string display_name = 1;');
  });

  it('calls without a message being sent compiled', async () => {
    const ran = await grpcurl('-d', '{"id": 1}', app.test.address, 'user.service.v1.UserService/GetUser');

    expect(ran.code).toBe(0);
    expect(values(ran)).toMatchObject([{ id: '1', displayName: 'Alice' }]);
  });

  it('reads a server stream', async () => {
    const ran = await grpcurl(
      '-d',
      '{"name": "welcome.txt"}',
      app.test.address,
      'file.service.v1.FileService/Download',
    );

    expect(values(ran).map(({ data }) => data)).toEqual([
      Buffer.from('Welcome to Rookery.\n').toString('base64'),
      undefined,
    ]);
  });

  it('sends a client stream', async () => {
    const entries =
      '{"source": "curl", "level": "info", "message": "a"} {"source": "curl", "level": "warn", "message": "b"}';
    const ran = await grpcurl(
      '-H',
      `authorization: Bearer ${signTestToken({ scope: 'logs:write' })}`,
      '-d',
      entries,
      app.test.address,
      'log.service.v1.LogService/Upload',
    );

    expect(values(ran)).toMatchObject([{ accepted: '2', acceptedByLevel: { info: '1', warn: '1' } }]);
  });

  it('talks in both directions', async () => {
    const messages = '{"room": "curl", "text": "one"} {"text": "two"}';
    const ran = await grpcurl(
      '-H',
      `authorization: Bearer ${signTestToken({ sub: 'curly' })}`,
      '-d',
      messages,
      app.test.address,
      'chat.service.v1.ChatService/Join',
    );

    expect(ran.code).toBe(0);
    expect(values(ran)[0]).toMatchObject({ kind: 'KIND_JOINED', room: 'curl', sender: 'curly' });
  });

  it('shows the details of a failure', async () => {
    const { code, stderr } = await grpcurl('-d', '{"id": 99}', app.test.address, 'user.service.v1.UserService/GetUser');

    // grpcurl ends with 64 and the code.
    expect(code).toBe(64 + 5);
    expect(stderr).toContain('Code: NotFound');
    expect(stderr).toContain('Message: user 99 not found');
    expect(stderr).toContain('"reason": "USER_NOT_FOUND"');
  });

  it('asks after the health', async () => {
    const ran = await grpcurl(app.test.address, 'grpc.health.v1.Health/Check');

    expect(values(ran)).toEqual([{ status: 'SERVING' }]);
  });
});
