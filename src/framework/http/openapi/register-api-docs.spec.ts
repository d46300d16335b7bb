import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';
import { type CanActivate, Controller, ForbiddenException, Get, Injectable, Logger, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { constant, Lifecycle, type RequestEnd, requestEndChannel } from '../../core/index.js';
import { LimitOptions, RequestGate } from '../../pipeline/index.js';
import { HttpAdapter } from '../http-adapter.js';
import { HttpOptions } from '../http.options.js';
import { registerHttpPlugins } from '../http-plugins.js';
import { docsHtml } from './docs-page.js';

@Controller('cats')
class CatsController {
  @Get()
  list(): string[] {
    return [];
  }
}

@Injectable()
class RefusingGuard implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException();
  }
}

@Module({ controllers: [CatsController], providers: [{ provide: APP_GUARD, useClass: RefusingGuard }] })
class AppModule {}

let app: NestFastifyApplication | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
  vi.doUnmock('@nestjs/swagger');
  vi.resetModules();
});

async function start(
  order: 'before init' | 'after init' = 'before init',
  serverUrl?: string,
): Promise<NestFastifyApplication> {
  const { registerApiDocs } = await import('./register-api-docs.js');
  const limits = constant(new LimitOptions());
  const adapter = new HttpAdapter({
    gate: new RequestGate(new Lifecycle(), limits),
    limits,
    trustsProxies: () => false,
    securityHeaders: true,
  });
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(adapter, { logger: false });
  await registerHttpPlugins(app, constant(new HttpOptions()));
  const options = { title: 'cats', version: '1', ...(serverUrl !== undefined && { serverUrl }) };
  if (order === 'before init') await registerApiDocs(app, options);
  await app.init();
  if (order === 'after init') await registerApiDocs(app, options);
  await app.getHttpAdapter().getInstance().ready();
  return app;
}

describe('registerApiDocs', () => {
  it.each(['before init', 'after init'] as const)(
    'serves the description without asking guards, registered %s',
    async (order) => {
      const service = await start(order);

      const answer = await service.inject('/openapi.json');

      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(Object.keys(answer.json<{ paths: object }>().paths)).toEqual(['/cats']);
      expect((await service.inject('/cats')).statusCode).toBe(403);
    },
  );

  it('tells a caller that already has it nothing again', async () => {
    const service = await start();
    const first = await service.inject('/openapi.json');
    const etag = first.headers['etag'] as string;

    const again = await service.inject({ url: '/openapi.json', headers: { 'if-none-match': `"other", ${etag}` } });
    const other = await service.inject({ url: '/openapi.json', headers: { 'if-none-match': '"other"' } });

    expect(etag).toMatch(/^W\/"[\w-]{22}"$/);
    expect([again.statusCode, again.body]).toEqual([304, '']);
    expect(other.statusCode).toBe(200);
    expect(first.headers['cache-control']).toBe('no-cache');
  });

  it.each([
    ['gzip, br', 'gzip'],
    ['br;q=1.0, gzip;q=0.5', 'gzip'],
    ['gzip;q=0', undefined],
    ['identity', undefined],
  ])('answers accept-encoding %s with %s', async (accepted, encoding) => {
    const service = await start();
    const plain = await service.inject({ url: '/openapi.json', headers: { 'accept-encoding': 'identity' } });

    const answer = await service.inject({ url: '/openapi.json', headers: { 'accept-encoding': accepted } });

    expect(answer.headers['content-encoding']).toBe(encoding);
    expect(answer.headers['vary']).toContain('accept-encoding');
    expect(encoding === undefined ? answer.body : gunzipSync(answer.rawPayload).toString()).toBe(plain.body);
  });

  it('is in the access log and refuses other methods like every route', async () => {
    const service = await start();
    await service.listen(0, '127.0.0.1');
    const url = await service.getUrl();
    const ends: RequestEnd[] = [];
    let stop = (): void => {};
    const ended = new Promise<void>((resolve) => {
      stop = requestEndChannel.subscribe((end) => {
        if (ends.push(end) === 2) resolve();
      });
    });

    await (await fetch(`${url}/docs`)).text();
    const refused = await fetch(`${url}/docs`, { method: 'POST' });
    await refused.text();
    await ended;
    stop();

    expect(ends.map(({ context, httpStatus }) => [context.operation, httpStatus])).toEqual([
      ['GET /docs', 200],
      ['POST (no route)', 405],
    ]);
    expect(refused.headers.get('allow')).toBe('GET, HEAD');
  });

  it('answers HEAD with the headers alone', async () => {
    const service = await start();

    const answer = await service.inject({ method: 'HEAD', url: '/openapi.json' });

    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect(Number(answer.headers['content-length'])).toBeGreaterThan(100);
  });

  it('serves a page made of its own parts only', async () => {
    const service = await start();

    const page = await service.inject('/docs');
    const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part);

    expect(parts.map((part) => part.replace(/\?v=[\d.]+$/, '?v=…'))).toEqual([
      'docs/favicon-32x32.png?v=…',
      'docs/swagger-ui.css?v=…',
      'openapi.json',
      'docs/swagger-ui-bundle.js?v=…',
      'docs/init.js',
    ]);
    expect(page.body).not.toMatch(/<script>|<style|style=|https?:/);
    for (const part of parts) expect((await service.inject(`/${part}`)).statusCode, part).toBe(200);
  });

  it('asks nobody else about the document', async () => {
    const service = await start();

    const script = (await service.inject('/docs/init.js')).body;

    expect(script).toContain("url: 'openapi.json'");
    expect(script).toContain('validatorUrl: null');
    expect(script).not.toContain('http');
  });

  it('keeps the assets for ever and asks for the page again', async () => {
    const service = await start();
    const fromSwagger = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
    const file = fromSwagger.resolve(['swagger-ui-dist', 'swagger-ui-bundle.js'].join('/'));

    const bundle = await service.inject({ url: '/docs/swagger-ui-bundle.js?v=1' });
    const page = await service.inject('/docs');

    expect(bundle.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(bundle.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(bundle.rawPayload.equals(readFileSync(file))).toBe(true);
    expect(page.headers['cache-control']).toBe('no-cache');
  });

  it('gives the page the rights it needs and no more, beside the other security headers', async () => {
    const service = await start('before init', 'https://api.example.com/v1');

    const { headers } = await service.inject('/docs');

    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
        "connect-src 'self' https://api.example.com; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('leads /docs/ to the page', async () => {
    const service = await start();

    const answer = await service.inject('/docs/');

    expect([answer.statusCode, answer.headers['location']]).toEqual([302, '../docs']);
  });

  it('says in one line that @nestjs/swagger is missing, and serves nothing', async () => {
    vi.doMock('@nestjs/swagger', () => {
      throw new Error("Cannot find package '@nestjs/swagger'");
    });
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

    const service = await start();

    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toMatch(
      /^no \/openapi\.json and no \/docs: @nestjs\/swagger cannot be loaded \(.+\); install it/,
    );
    for (const path of ['/openapi.json', '/docs', '/docs/init.js']) {
      expect((await service.inject(path)).statusCode, path).toBe(404);
    }
  });
});

describe('docsHtml', () => {
  it('takes the title for text', () => {
    expect(docsHtml({ title: '<b>"&', assetsVersion: '1' })).toContain('<title>&#60;b&#62;&#34;&#38;</title>');
  });
});
