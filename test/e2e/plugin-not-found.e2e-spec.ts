import { Inject, Module } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http } from '../support/http-caller.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialModule } from '../support/trial.module.js';

let noted = 0;

function noteHook(_request: unknown, _reply: unknown, done: () => void): void {
  noted += 1;
  done();
}

/** Has a plugin of Fastify answer all that no route below `/legacy` serves. */
@Module({ imports: [TrialModule] })
class LegacyModule {
  constructor(@Inject(HttpAdapterHost) { httpAdapter }: HttpAdapterHost) {
    const fastify = httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('preValidation', noteHook);
    fastify.addHook('preHandler', noteHook);
    void fastify.register(
      (plugin, _options, done) => {
        plugin.setNotFoundHandler((request, reply) => {
          void reply.code(200).send({ legacy: request.body });
        });
        done();
      },
      { prefix: '/legacy' },
    );
  }
}

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(LegacyModule);
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

describe('a request that no route serves', () => {
  it('reaches the handler of a plugin for what is not found, with its body', async () => {
    const { status, json } = await http(app.url, { method: 'POST', path: '/legacy/orders', body: { id: '1' } });

    expect({ status, json }).toEqual({ status: 200, json: { legacy: { id: '1' } } });
  });

  it('is refused elsewhere, and its body not read', async () => {
    const headers = { 'content-type': 'application/json' };

    const { status } = await http(app.url, {
      method: 'POST',
      path: '/orders',
      headers,
      body: Buffer.from('{"no json'),
    });

    expect(status).toBe(404);
  });

  it.each([
    ['POST', '/orders', 404, 2],
    ['PUT', '/trial/orders', 405, 2],
    // The route of CORS for all paths is asked first, and hands it on.
    ['OPTIONS', '/trial/orders', 204, 3],
    ['GET', '/orders', 404, 2],
  ])('passes the hooks of plugins: %s %s', async (method, path, expected, hooks) => {
    noted = 0;
    const hasBody = method === 'POST' || method === 'PUT';

    const { status } = await http(app.url, { method, path, ...(hasBody ? { body: { id: '1' } } : {}) });

    expect({ status, noted }).toEqual({ status: expected, noted: hooks });
  });
});
