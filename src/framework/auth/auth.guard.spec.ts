import type { ExecutionContext } from '@nestjs/common';
import { createSecretKey } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { constant, metadataKeys, noDeadline, RequestContext, RookeryError, runInContext } from '../core/index.js';
import { type ControllerClass } from './access-rule.js';
import { Public, Roles, Scopes } from './auth.decorator.js';
import { AuthGuard } from './auth.guard.js';
import { AuthOptions } from './auth.options.js';
import { AuthKeys } from './auth-keys.js';
import { TokenVerifier } from './token-verifier.js';

const secret = 'a secret of more than thirty-two bytes';

function Marked(key: string, value: unknown): MethodDecorator {
  return (_target, _name, descriptor) => Reflect.defineMetadata(key, value, descriptor.value as object);
}

function WithInput(): MethodDecorator {
  return (target, name) => Reflect.defineMetadata(metadataKeys.input, true, target, name);
}

// As a caching decorator would: the function is another one, without the name.
function Wrapped(): MethodDecorator {
  return (_target, _name, descriptor) => {
    const inner = descriptor.value as (...args: unknown[]) => unknown;
    Object.assign(descriptor, { value: (...args: unknown[]) => inner(...args) });
  };
}

class Users {
  plain(): void {}
  @Public() open(): void {}
  @Scopes('users:write', 'users:read') write(): void {}
  @Roles('developer', 'operator') operate(): void {}
  @WithInput() @Scopes('users:write') create(): void {}
  @WithInput() @Scopes('users:write') @Wrapped() wrapped(): void {}
  @WithInput() @Scopes('users:write') @Marked(metadataKeys.rpc, { methodKind: 'client_streaming' }) upload(): void {}
  @WithInput() @Scopes('users:write') @Marked(metadataKeys.rpc, { methodKind: 'unary' }) rpc(): void {}
  @Marked(metadataKeys.probe, true) probe(): void {}
  @Public() @Scopes('users:write') torn(): void {}
}

@Scopes('admin')
class Admin extends Users {}

@Public()
class Open {
  plain(): void {}
  @Roles('operator') operate(): void {}
}

type Keyed = { jwt?: { secret?: string }; env?: string };

function guardWith({ jwt = { secret }, env = 'production' }: Keyed = {}) {
  const defaults = new AuthOptions();
  const identity = { appName: 'users', env };
  const keys = new AuthKeys(constant({ ...defaults, jwt: { ...defaults.jwt, ...jwt } }), identity);
  return new AuthGuard(new TokenVerifier(keys, identity), keys);
}

function token(claims: JWTPayload = {}): Promise<string> {
  return new SignJWT({ sub: 'alice', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(createSecretKey(Buffer.from(secret)));
}

function contextWith(headers: Readonly<Record<string, string>>): RequestContext {
  return new RequestContext({
    face: 'grpc',
    operation: 'op',
    peer: '127.0.0.1',
    header: (name) => headers[name],
    deadline: noDeadline,
  });
}

function execution(controller: ControllerClass, method: string): ExecutionContext {
  const handler = (controller.prototype as Record<string, unknown>)[method];
  return { getClass: () => controller, getHandler: () => handler } as unknown as ExecutionContext;
}

interface Answer {
  readonly outcome: string;
  readonly context: RequestContext;
  readonly error?: RookeryError;
}

async function ask(
  guard: AuthGuard,
  controller: ControllerClass,
  method: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const context = contextWith(headers);
  try {
    const admitted = await runInContext(context, () => guard.canActivate(execution(controller, method)));
    return { outcome: String(admitted), context };
  } catch (error) {
    if (!RookeryError.is(error)) throw error;
    return { outcome: error.reason, context, error };
  }
}

const bearer = async (claims: JWTPayload = {}) => ({ authorization: `Bearer ${await token(claims)}` });

describe('AuthGuard', () => {
  afterEach(() => vi.restoreAllMocks());

  it('protects every handler that is not public', async () => {
    const guard = guardWith();

    const { outcome, error } = await ask(guard, Users, 'plain');

    expect([outcome, error?.httpStatus, error?.httpHeaders]).toEqual([
      'TOKEN_MISSING',
      401,
      { 'www-authenticate': 'Bearer' },
    ]);
    expect((await ask(guard, Users, 'plain', { authorization: 'Basic eDp5' })).outcome).toBe('TOKEN_MISSING');
    expect((await ask(guard, Users, 'plain', { authorization: 'Bearerx y' })).outcome).toBe('TOKEN_MISSING');
  });

  it('sets principal and tenant of the context, whatever the caller says of its tenant', async () => {
    const guard = guardWith();
    const headers = { 'x-tenant': 'forged' };

    const known = await ask(guard, Users, 'plain', { ...headers, ...(await bearer({ tenant: 'acme' })) });
    const without = await ask(guard, Users, 'plain', { ...headers, ...(await bearer()) });

    expect([known.outcome, known.context.principal?.subject, known.context.tenant]).toEqual(['true', 'alice', 'acme']);
    expect([without.outcome, without.context.tenant]).toEqual(['true', undefined]);
  });

  it.each(['bearer %s', 'BEARER  %s ', 'Bearer %s'])('reads the header as "%s"', async (form) => {
    const authorization = form.replace('%s', await token());

    expect((await ask(guardWith(), Users, 'plain', { authorization })).outcome).toBe('true');
  });

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a, Bearer b', 'Bearer x'])(
    'refuses "%s" as malformed, on public handlers too',
    async (authorization) => {
      for (const method of ['plain', 'open']) {
        expect((await ask(guardWith(), Users, method, { authorization })).outcome).toBe('TOKEN_MALFORMED');
      }
    },
  );

  it.each([
    'Bearer\u00a0%s',
    'Bearer \u00a0%s',
    'Bearer %s\u00a0',
    'Bearer \t%s',
    'Bearer\t%s',
    'Bearer "%s"',
    'Bearer %s=',
    'Bearer %s;a=b',
  ])('takes %j for no token, remembered or not', async (form) => {
    const guard = guardWith();
    const good = await token();
    const authorization = form.replace('%s', good);

    expect((await ask(guard, Users, 'plain', { authorization })).outcome).toBe('TOKEN_MALFORMED');
    expect((await ask(guard, Users, 'plain', { authorization: `Bearer ${good}` })).outcome).toBe('true');
    expect((await ask(guard, Users, 'plain', { authorization })).outcome).toBe('TOKEN_MALFORMED');
  });

  it('lets anonymous callers into public handlers, and knows those who show a token', async () => {
    const guard = guardWith();

    const anonymous = await ask(guard, Users, 'open', { 'x-tenant': 'acme' });
    const known = await ask(guard, Users, 'open', await bearer());

    expect([anonymous.outcome, anonymous.context.principal, anonymous.context.tenant]).toEqual([
      'true',
      undefined,
      'acme',
    ]);
    expect(known.context.principal?.subject).toBe('alice');
    expect((await ask(guard, Open, 'plain')).outcome).toBe('true');
  });

  it('asks for all scopes and names those that are missing', async () => {
    const guard = guardWith();

    const refused = await ask(guard, Users, 'write', await bearer({ scope: 'users:read' }));

    expect([refused.outcome, refused.error?.httpStatus, refused.error?.metadata, refused.error?.httpHeaders]).toEqual([
      'SCOPE_MISSING',
      403,
      { required: 'users:write users:read', missing: 'users:write' },
      { 'www-authenticate': 'Bearer error="insufficient_scope", scope="users:write users:read"' },
    ]);
    expect((await ask(guard, Users, 'write', await bearer({ scope: 'users:read users:write' }))).outcome).toBe('true');
  });

  it('asks for one of the roles', async () => {
    const guard = guardWith();

    const refused = await ask(guard, Users, 'operate', await bearer({ roles: ['viewer'] }));

    expect([refused.outcome, refused.error?.httpStatus, refused.error?.metadata]).toEqual([
      'ROLE_MISSING',
      403,
      { anyOf: 'developer operator' },
    ]);
    expect((await ask(guard, Users, 'operate', await bearer({ roles: ['viewer', 'operator'] }))).outcome).toBe('true');
  });

  it('leaves a refusal to validation where the handler has an input, unless that is a stream', async () => {
    const guard = guardWith();
    const headers = await bearer();

    for (const method of ['create', 'wrapped', 'rpc']) {
      const { outcome, context } = await ask(guard, Users, method, headers);
      expect([method, outcome, context.denial?.reason]).toEqual([method, 'true', 'SCOPE_MISSING']);
    }
    const stream = await ask(guard, Users, 'upload', headers);
    expect([stream.outcome, stream.context.denial]).toEqual(['SCOPE_MISSING', undefined]);
    expect((await ask(guard, Users, 'create')).outcome).toBe('TOKEN_MISSING');
  });

  it('lets a word on the method replace that on the class, and the stricter of two on one level win', async () => {
    const guard = guardWith();
    const admin = await bearer({ scope: 'admin' });

    expect((await ask(guard, Admin, 'plain', await bearer())).outcome).toBe('SCOPE_MISSING');
    expect((await ask(guard, Users, 'plain', await bearer())).outcome).toBe('true');
    expect((await ask(guard, Admin, 'plain', admin)).outcome).toBe('true');
    expect((await ask(guard, Admin, 'write', admin)).error?.metadata['missing']).toBe('users:write users:read');
    expect((await ask(guard, Admin, 'open')).outcome).toBe('true');
    expect((await ask(guard, Open, 'operate')).outcome).toBe('TOKEN_MISSING');
    expect((await ask(guard, Users, 'torn')).outcome).toBe('TOKEN_MISSING');
  });

  it('does not look at probes', async () => {
    const { outcome, context } = await ask(guardWith(), Users, 'probe', { authorization: 'Bearer x' });

    expect([outcome, context.principal]).toEqual(['true', undefined]);
  });

  it('answers synchronously, and without reflection, for a token and a handler that it knows', async () => {
    const guard = guardWith();
    const headers = await bearer({ scope: 'users:write' });
    await ask(guard, Users, 'create', headers);
    const reflection = vi.spyOn(Reflect, 'getMetadata');

    const admitted = runInContext(contextWith(headers), () => guard.canActivate(execution(Users, 'create')));

    expect(admitted).toBe(true);
    expect(reflection).not.toHaveBeenCalled();
  });

  it('serves public handlers of a service without keys, tokens or not, and nothing else', async () => {
    const guard = guardWith({ jwt: {} });
    const headers = await bearer();

    expect((await ask(guard, Users, 'open', headers)).outcome).toBe('true');
    expect((await ask(guard, Users, 'plain', headers)).outcome).toBe('KEYS_UNAVAILABLE');
    expect((await ask(guard, Users, 'plain')).outcome).toBe('TOKEN_MISSING');
  });

  it('admits nobody outside a request', () => {
    expect(() => guardWith().canActivate(execution(Users, 'plain'))).toThrow('AuthGuard: no request context');
  });
});

describe('decorators', () => {
  it('refuse names that could not be told or checked', () => {
    expect(() => Scopes()).toThrow('@Scopes: null');
    expect(() => Scopes('a b')).toThrow('@Scopes: "a b"');
    expect(() => Scopes('a"b')).toThrow('@Scopes: "a\\"b"');
    expect(() => Roles()).toThrow('@Roles: []');
    expect(() => Roles('')).toThrow('@Roles: [""]');
  });
});
