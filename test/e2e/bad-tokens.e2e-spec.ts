import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { expectError } from '../support/envelopes.js';
import { GrpcCaller } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';
import { type TokenName, tokens } from '../support/tokens.js';
import { users } from '../support/trial-app.js';
import { startTestService, type TestService } from 'rookery/testing';

const user = { displayName: 'Mallory', email: 'mallory@example.com', role: 'viewer' };
let folder: TemporaryFolder;
let test: TestService;
let caller: GrpcCaller;

beforeAll(async () => {
  folder = await temporaryFolder();
  test = await startTestService(AppModule, { set: { 'users.seed': true, 'files.directory': folder.path } });
  caller = new GrpcCaller(test.address);
});

afterAll(async () => {
  caller.close();
  await test.close();
  await folder.remove();
});

async function expectNobodyNew(): Promise<void> {
  const { messages } = await caller.call(users.list, [{}]);
  expect(JSON.stringify(messages)).not.toContain('mallory');
}

interface Case {
  readonly token: TokenName;
  readonly reason: string;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const refusals: readonly Case[] = [
  { token: 'malformed', reason: 'TOKEN_MALFORMED', message: 'bearer token malformed' },
  { token: 'expired', reason: 'TOKEN_EXPIRED', message: 'bearer token expired' },
  { token: 'notYetValid', reason: 'TOKEN_NOT_YET_VALID', message: 'bearer token not yet valid' },
  { token: 'wronglySigned', reason: 'TOKEN_SIGNATURE_INVALID', message: 'bearer token signature invalid' },
  { token: 'tampered', reason: 'TOKEN_SIGNATURE_INVALID', message: 'bearer token signature invalid' },
  {
    token: 'algNone',
    reason: 'TOKEN_ALGORITHM_REFUSED',
    message: 'bearer token algorithm refused',
    metadata: { accepted: 'HS256' },
  },
  {
    token: 'algNoneWithSignature',
    reason: 'TOKEN_ALGORITHM_REFUSED',
    message: 'bearer token algorithm refused',
    metadata: { accepted: 'HS256' },
  },
  {
    token: 'otherAlgorithm',
    reason: 'TOKEN_ALGORITHM_REFUSED',
    message: 'bearer token algorithm refused',
    metadata: { accepted: 'HS256' },
  },
  { token: 'otherAudience', reason: 'TOKEN_AUDIENCE_MISMATCH', message: 'bearer token is meant for another audience' },
  {
    token: 'withoutSubject',
    reason: 'TOKEN_CLAIM_INVALID',
    message: 'bearer token claim sub invalid (expected: a string)',
    metadata: { claim: 'sub' },
  },
];

describe.each(refusals)('a token that is $token', ({ token, reason, message, metadata }) => {
  it('is refused on HTTP, with the challenge', async () => {
    const answer = await http(test.url, { method: 'POST', path: '/api/v1/users', body: user, token: tokens[token]() });

    expectError(answer, 401, { reason, message });
    expect(answer.headers['www-authenticate']).toBe(`Bearer error="invalid_token", error_description="${message}"`);
    await expectNobodyNew();
  });

  it('is refused on gRPC', async () => {
    const { failure } = await caller.call(users.create, [user], { token: tokens[token]() });

    expect(failure).toEqual({
      status: 'UNAUTHENTICATED',
      reason,
      message,
      domain: 'rookery',
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
      ...(metadata !== undefined && { metadata }),
    });
    await expectNobodyNew();
  });
});

describe('no token', () => {
  it('is told by a challenge without an error on HTTP', async () => {
    const answer = await http(test.url, { method: 'POST', path: '/api/v1/users', body: user });

    expectError(answer, 401, { reason: 'TOKEN_MISSING', message: 'bearer token missing' });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('is told on every protected mode of gRPC', async () => {
    const { failure } = await caller.call(users.create, [user]);

    expect(failure).toMatchObject({
      status: 'UNAUTHENTICATED',
      reason: 'TOKEN_MISSING',
      message: 'bearer token missing',
    });
  });

  it('is needed for nothing that is public', async () => {
    const answer = await http(test.url, { path: '/api/v1/users/1' });
    const { failure } = await caller.call(users.get, [{ id: '1' }]);

    expect(answer.status).toBe(200);
    expect(failure).toBeUndefined();
  });
});

describe('what is no bearer token', () => {
  it.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Digest x', 'Bearer a b'])(
    'is refused on both faces: %s',
    async (authorization) => {
      const answer = await http(test.url, {
        method: 'POST',
        path: '/api/v1/users',
        body: user,
        headers: { authorization },
      });
      const { failure } = await caller.call(users.create, [user], { metadata: { authorization } });

      expect(answer.status).toBe(401);
      expect(failure?.status).toBe('UNAUTHENTICATED');
      expect(failure?.reason).toBe((answer.json as { reason: string }).reason);
    },
  );

  it('is accepted in any letter case of the scheme', async () => {
    const headers = { authorization: `bEARER ${tokens.writer()}` };
    const answer = await http(test.url, { method: 'DELETE', path: '/api/v1/users/3', headers });

    expect(answer.status).toBe(200);
  });
});

describe('a token without the scope', () => {
  it('is told which is missing on both faces', async () => {
    const answer = await http(test.url, { method: 'POST', path: '/api/v1/users', body: user, token: tokens.reader() });
    const { failure } = await caller.call(users.create, [user], { token: tokens.reader() });

    expectError(answer, 403, { reason: 'SCOPE_MISSING', message: 'scope missing: users:write' });
    expect(answer.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="users:write"');
    expect(failure).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: 'SCOPE_MISSING',
      metadata: { required: 'users:write', missing: 'users:write' },
    });
    await expectNobodyNew();
  });
});
