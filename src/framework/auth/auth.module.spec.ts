import { type ArgumentsHost, Controller, Get, Global, type INestApplication, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  LiveValue,
  noDeadline,
  type Principal,
  RequestContext,
  type RookeryError,
  runInContext,
} from '../core/index.js';
import { Caller, Public, Scopes } from './auth.decorator.js';
import { AuthGuard } from './auth.guard.js';
import { AuthModule } from './auth.module.js';
import { AUTH_OPTIONS, AuthOptions } from './auth.options.js';
import { AuthKeys } from './auth-keys.js';
import { DevelopmentToken } from './development-token.js';
import { ServiceTokens } from './service-tokens.js';
import { TokenVerifier } from './token-verifier.js';

@Controller()
class WhoAmI {
  @Get('me')
  @Scopes('me:read')
  me(@Caller() caller: Principal): { name: string } {
    return { name: caller.subject };
  }

  @Get('anyone')
  @Public()
  anyone(@Caller() caller: Principal | undefined): { name: string } {
    return { name: caller?.subject ?? 'nobody' };
  }
}

const live = new LiveValue(new AuthOptions());

@Global()
@Module({ providers: [{ provide: AUTH_OPTIONS, useValue: live }], exports: [AUTH_OPTIONS] })
class Settings {}

@Module({
  imports: [Settings, AuthModule.forRoot({ appName: 'users', env: 'test' })],
  controllers: [WhoAmI],
  providers: [{ provide: APP_GUARD, useExisting: AuthGuard }],
})
class App {}

describe('AuthModule', () => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    const testing = await Test.createTestingModule({ imports: [App] }).compile();
    app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
    // What the pipeline and the HTTP face do: outcomes of errors, and a context around each request.
    app.useGlobalFilters({
      catch: (error: RookeryError, host: ArgumentsHost) =>
        void host.switchToHttp().getResponse<FastifyReply>().code(error.httpStatus).send({ name: error.reason }),
    });
    const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
    fastify.addHook('onRequest', (request, _reply, done) => {
      const header = (name: string) => request.headers[name] as string | undefined;
      runInContext(
        new RequestContext({ face: 'http', operation: request.url, peer: request.ip, header, deadline: noDeadline }),
        done,
      );
    });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterAll(() => app.close());

  async function get(path: string, token?: string): Promise<[number, unknown]> {
    const response = await fetch(`${url}${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const body = (await response.json()) as { name?: string };
    return [response.status, body.name];
  }

  it('guards a Nest application and injects the caller', async () => {
    const token = await app.get(DevelopmentToken).issue({ scopes: ['me:read'] });

    expect(await get('/me', token)).toEqual([200, 'developer']);
    expect(await get('/anyone', token)).toEqual([200, 'developer']);
    expect(await get('/anyone')).toEqual([200, 'nobody']);
    expect(await get('/me')).toEqual([401, 'TOKEN_MISSING']);
    expect(await get('/me', await app.get(ServiceTokens).tokenFor('users'))).toEqual([403, 'SCOPE_MISSING']);
  });

  it('closes what it opened when the application stops, and not before', async () => {
    const other = await Test.createTestingModule({ imports: [App] }).compile();
    const [keys, tokens, verifier] = [other.get(AuthKeys), other.get(ServiceTokens), other.get(TokenVerifier)];
    await other.init();
    await verifier.verify(await tokens.tokenFor('users'));
    expect(verifier.size).toBe(1);

    await other.close();
    live.publish({ ...live.value, cache: { maxTokens: 5, ttlMs: 5 } });

    expect([verifier.size, keys.value.options.cache.maxTokens]).toEqual([0, 10_000]);
  });
});
