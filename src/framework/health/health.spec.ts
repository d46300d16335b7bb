import type { DescMethod } from '@bufbuild/protobuf';
import { Controller, Global, Module, SetMetadata } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  HealthSource,
  Lifecycle,
  LiveValue,
  metadataKeys,
  type Probe,
  type ProbeChange,
  probeChangeChannel,
  ProbeRegistry,
} from '../core/index.js';
import { HealthController } from './health.controller.js';
import { HealthModule } from './health.module.js';
import { HEALTH_OPTIONS, HealthOptions } from './health.options.js';
import { HealthState } from './health-state.js';

const rpc = { parent: { typeName: 'user.service.v1.UserService' } } as DescMethod;

@Controller()
class UsersController {
  @SetMetadata(metadataKeys.rpc, rpc)
  getUser(): void {}
}

interface Running {
  readonly app: NestFastifyApplication;
  readonly lifecycle: Lifecycle;
  readonly probes: ProbeRegistry;
  readonly options: LiveValue<HealthOptions>;
  readonly state: HealthState;
  readonly ask: (path: string) => Promise<{ status: number; body: unknown }>;
}

let running: Running | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await running?.app.close();
  running = undefined;
});

async function start(register: readonly Probe[] = [], changes: Partial<HealthOptions> = {}): Promise<Running> {
  const lifecycle = new Lifecycle();
  const probes = new ProbeRegistry();
  for (const probe of register) probes.register(probe);
  const options = new LiveValue(Object.assign(new HealthOptions(), { cacheMs: 0, details: 'open' }, changes));

  @Global()
  @Module({
    providers: [
      { provide: Lifecycle, useValue: lifecycle },
      { provide: ProbeRegistry, useValue: probes },
      { provide: HEALTH_OPTIONS, useValue: options },
    ],
    exports: [Lifecycle, ProbeRegistry, HEALTH_OPTIONS],
  })
  class CoreModule {}
  const module = await Test.createTestingModule({
    imports: [CoreModule, HealthModule],
    controllers: [UsersController],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await app.init();
  const ask = async (path: string): Promise<{ status: number; body: unknown }> => {
    const answer = await app.inject({ url: `/health/${path}` });
    return { status: answer.statusCode, body: answer.json() };
  };
  running = { app, lifecycle, probes, options, state: app.get(HealthState), ask };
  return running;
}

const up = (name: string, kinds: Probe['kinds'], details?: Record<string, unknown>): Probe => ({
  name,
  kinds,
  check: () => Promise.resolve(details),
});

const down = (name: string, kinds: Probe['kinds'], error: unknown = new Error('hunter2')): Probe => ({
  name,
  kinds,
  check: () => {
    // oxlint-disable-next-line typescript/only-throw-error -- probes may throw anything
    throw error;
  },
});

describe('/health', () => {
  it('follows the phases: started and ready with the start, not ready while draining, alive throughout', async () => {
    const { lifecycle, ask } = await start();
    const statuses = async (): Promise<number[]> =>
      (await Promise.all(['live', 'startup', 'ready'].map(ask))).map(({ status }) => status);

    expect(await statuses()).toEqual([200, 503, 503]);
    lifecycle.advance('ready');
    expect(await statuses()).toEqual([200, 200, 200]);
    lifecycle.advance('draining');
    expect(await statuses()).toEqual([200, 200, 503]);
  });

  it('answers raw JSON with what is up and what is down, and nothing of the error', async () => {
    const { lifecycle, ask } = await start([
      up('cache', ['ready'], { keys: 3 }),
      down('database', ['ready']),
      down('other', ['ready'], 'hunter2'),
      {
        name: 'sudden',
        kinds: ['ready'],
        check: () => {
          throw new Error('hunter2');
        },
      },
      down('vital', ['live']),
    ]);
    lifecycle.advance('ready');

    const ready = await ask('ready');

    const info = { lifecycle: { phase: 'ready', status: 'up' }, cache: { keys: 3, status: 'up' } };
    const error = { database: { status: 'down' }, other: { status: 'down' }, sudden: { status: 'down' } };
    expect(ready).toEqual({ status: 503, body: { status: 'error', info, error, details: { ...info, ...error } } });
    expect(await ask('live')).toMatchObject({ status: 503, body: { error: { vital: { status: 'down' } } } });
  });

  it('shows the probes of the start while it lasts', async () => {
    const { lifecycle, ask } = await start([down('warm-up', ['startup'])]);

    expect(await ask('startup')).toMatchObject({
      status: 503,
      body: { error: { lifecycle: { phase: 'starting' }, 'warm-up': { status: 'down' } } },
    });
    lifecycle.advance('ready');
    expect(await ask('startup')).toEqual({
      status: 200,
      body: expect.objectContaining({
        status: 'ok',
        details: { lifecycle: { phase: 'ready', status: 'up' } },
      }) as unknown,
    });
  });

  it('does not let a probe pass itself off as up', async () => {
    const { ask } = await start([{ ...down('liar', ['live']) }, up('odd', ['live'], { status: 'down' })]);

    expect(await ask('live')).toMatchObject({
      status: 503,
      body: { info: { odd: { status: 'up' } }, error: { liar: { status: 'down' } } },
    });
  });

  it('gives a probe its time and no more, aborts it, and does not start it again beside itself', async () => {
    let checks = 0;
    let signal: AbortSignal | undefined;
    let resolve = (_details: undefined): void => {};
    const promise = new Promise<undefined>((done) => (resolve = done));
    const slow: Probe = {
      name: 'slow',
      kinds: ['live'],
      check: (given) => {
        checks += 1;
        signal = given;
        return promise;
      },
    };
    const { ask } = await start([slow], { probeTimeoutMs: 10 });

    expect(await ask('live')).toMatchObject({
      status: 503,
      body: { error: { slow: { status: 'down', timeoutMs: 10 } } },
    });
    expect(signal?.aborted).toBe(true);
    await ask('live');
    expect(checks).toBe(1);

    resolve(undefined);
    // The end of the first check reaches the runner a few microtasks later.
    await new Promise((done) => setImmediate(done));
    expect((await ask('live')).status).toBe(200);
    expect(checks).toBe(2);
  });

  it('checks once for all who ask at the same time, and keeps the outcome for a while', async () => {
    let checks = 0;
    const counted: Probe = {
      name: 'counted',
      kinds: ['ready'],
      check: () => {
        checks += 1;
        return Promise.resolve(undefined);
      },
    };
    const { state, options } = await start([counted]);
    expect(checks).toBe(1);

    const answers = await Promise.all([state.check('ready'), state.check('ready'), state.check('ready')]);
    expect(checks).toBe(2);
    expect(answers.flat().map(({ isUp }) => isUp)).toEqual([true, true, true]);

    options.publish(Object.assign(new HealthOptions(), { cacheMs: 60_000 }));
    await state.check('ready');
    await state.check('ready');
    expect(checks).toBe(2);
    options.publish(Object.assign(new HealthOptions(), { cacheMs: 0 }));
    await state.check('ready');
    expect(checks).toBe(3);
  });

  it('is marked public, raw and a probe, and cannot be cached', async () => {
    const { app } = await start();

    const answer = await app.inject({ url: '/health/live' });

    expect(answer.headers).toMatchObject({
      'content-type': expect.stringContaining('application/json') as unknown,
      'cache-control': 'no-store',
    });
    for (const key of [metadataKeys.public, metadataKeys.raw, metadataKeys.probe]) {
      expect(Reflect.getMetadata(key, HealthController)).toBe(true);
    }
  });

  it('is alive while the application closes, when terminus calls everything down', async () => {
    const { app } = await start();
    const controller = app.get(HealthController);
    await app.close();
    const statuses: number[] = [];

    const answer = await controller.live({ status: (code) => statuses.push(code) });

    expect(answer.status).toBe('ok');
    expect(statuses).toEqual([200]);
  });
});

describe('HealthState', () => {
  it('is the HealthSource of the application, and knows its services', async () => {
    const { app, state, lifecycle } = await start();

    expect(app.get(HealthSource)).toBe(state);
    expect(state.services()).toEqual(['', 'user.service.v1.UserService']);
    expect(state.status('user.service.v1.UserService')).toBe('NOT_SERVING');
    expect(state.status('absent.Service')).toBeUndefined();
    lifecycle.advance('ready');
    expect(state.status('')).toBe('SERVING');
    state.addServices(['more.Service']);
    expect(state.status('more.Service')).toBe('SERVING');
  });

  it('tells of changes of phase at once, and of probes when it checks', async () => {
    let isUp = true;
    const shaky: Probe = {
      name: 'shaky',
      kinds: ['ready'],
      check: () => (isUp ? Promise.resolve(undefined) : Promise.reject(new Error())),
    };
    const { state, lifecycle } = await start([shaky]);
    const seen: unknown[] = [];
    const leave = state.onChange(() => seen.push(state.status('')));

    lifecycle.advance('ready');
    expect(seen).toEqual(['SERVING']);
    isUp = false;
    await state.check('ready');
    await state.check('ready');
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
    isUp = true;
    await state.check('ready');
    lifecycle.advance('draining');
    leave();
    expect(seen).toEqual(['SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING']);
  });

  it('checks of its own accord, at the rate of the options, until it is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let isUp = true;
    let checks = 0;
    const shaky: Probe = {
      name: 'shaky',
      kinds: ['ready'],
      check: () => {
        checks += 1;
        return isUp ? Promise.resolve(undefined) : Promise.reject(new Error());
      },
    };
    const { state, lifecycle, options } = await start([shaky], { refreshMs: 1000 });
    lifecycle.advance('ready');

    isUp = false;
    await vi.advanceTimersByTimeAsync(1001);
    expect(state.status('')).toBe('NOT_SERVING');

    options.publish(Object.assign(new HealthOptions(), { cacheMs: 0, refreshMs: 100 }));
    isUp = true;
    await vi.advanceTimersByTimeAsync(101);
    expect(state.status('')).toBe('SERVING');

    const before = checks;
    state.close();
    state.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(checks).toBe(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('publishes a probe that turns, once per turn, with the error for the log', async () => {
    let isUp = true;
    const error = new Error('why');
    const shaky: Probe = {
      name: 'shaky',
      kinds: ['ready'],
      check: () => (isUp ? Promise.resolve(undefined) : Promise.reject(error)),
    };
    const { state } = await start([shaky]);
    const seen: ProbeChange[] = [];
    const leave = probeChangeChannel.subscribe((change) => seen.push(change));

    isUp = false;
    await state.check('ready');
    await state.check('ready');
    isUp = true;
    await state.check('ready');
    leave();

    expect(seen).toEqual([
      { name: 'shaky', isUp: false, error },
      { name: 'shaky', isUp: true, error: undefined },
    ]);
  });

  it('is not disturbed by a listener that throws', async () => {
    const { state, lifecycle } = await start();
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
    let told = 0;
    state.onChange(() => {
      throw new Error('listener failed');
    });
    state.onChange(() => (told += 1));

    lifecycle.advance('ready');

    expect(told).toBe(1);
    expect((await warning).message).toBe('listener failed');
  });
});
