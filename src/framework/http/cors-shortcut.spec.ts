import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { constant } from '../core/index.js';
import { markComposed } from './composed-mark.js';
import { DirectSlot } from './direct/index.js';
import { HttpOptions } from './http.options.js';
import { registerHttpPlugins } from './http-plugins.js';

@Controller()
class TrialController {
  @Get('plain')
  plain(): string {
    return 'plain';
  }

  @Get('composed')
  composed(): string {
    return 'composed';
  }
}

@Module({ controllers: [TrialController] })
class TrialModule {}

const trusted = 'https://app.example.com';
let app: NestFastifyApplication;

afterEach(() => app.close());

/** @returns what `vary` Node's own answer had before Fastify's headers came, by path */
async function start(
  middleware?: (request: unknown, response: { end(): void }) => void,
): Promise<Map<string, unknown>> {
  const adapter = new FastifyAdapter();
  const get = adapter.get.bind(adapter) as (...args: unknown[]) => unknown;
  Object.assign(adapter, {
    get: (path: string, handler: object) => {
      if (path === '/composed') markComposed(handler, new DirectSlot(() => {}, undefined));
      return get(path, handler);
    },
  });
  app = await NestFactory.create<NestFastifyApplication>(TrialModule, adapter, { logger: false });
  const cors = { ...new HttpOptions().cors, origins: [trusted] };
  await registerHttpPlugins(app, constant({ ...new HttpOptions(), cors, compression: false }));
  if (middleware !== undefined) app.use(middleware);
  const seen = new Map<string, unknown>();
  adapter.getInstance<FastifyInstance>().addHook('onSend', (request, reply: FastifyReply, _payload, done) => {
    seen.set(request.url, reply.raw.getHeader('vary'));
    done();
  });
  await app.init();
  return seen;
}

describe('shortenCors', () => {
  it('leaves vary to Fastify on a composed route', async () => {
    const onRaw = await start();

    const { headers } = await app.inject({ url: '/composed' });

    expect(headers.vary).toBe('Origin');
    expect(onRaw.get('/composed')).toBeUndefined();
  });

  it('changes nothing on other routes', async () => {
    const onRaw = await start();

    const { headers } = await app.inject({ url: '/plain' });

    expect(headers.vary).toBe('Origin');
    expect(onRaw.get('/plain')).toBe('Origin');
  });

  it.each([
    [trusted, trusted],
    ['https://evil.example.com', undefined],
  ])('lets a page of %s have what it had', async (origin, allowed) => {
    await start();

    const { headers } = await app.inject({ url: '/composed', headers: { origin } });

    expect(headers.vary).toBe('Origin');
    expect(headers['access-control-allow-origin']).toBe(allowed);
  });

  it('has the header on what a middleware answers', async () => {
    await start((_request, response) => response.end());

    const { headers } = await app.inject({ url: '/composed' });

    expect(headers.vary).toBe('Origin');
  });
});
