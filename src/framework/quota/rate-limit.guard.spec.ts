import type { ExecutionContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  constant,
  type Live,
  LiveValue,
  metadataKeys,
  noDeadline,
  type Principal,
  RequestContext,
  RookeryError,
  runInContext,
} from '../core/index.js';
import { QUOTA_OPTIONS, QuotaOptions } from './quota.options.js';
import { QuotaModule } from './quota.module.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RateLimiter } from './rate-limiter.js';

class Users {
  get(): void {}
  probe(): void {}
}
Reflect.defineMetadata(metadataKeys.probe, true, Users.prototype.probe);

interface Caller {
  readonly subject?: string;
  readonly tenant?: string;
  readonly peer?: string;
  readonly claimedTenant?: string;
}

function contextOf({ subject, tenant, peer = '127.0.0.1', claimedTenant }: Caller): RequestContext {
  const header = (name: string) => (name === 'x-tenant' ? claimedTenant : undefined);
  const context = new RequestContext({ face: 'http', operation: 'op', peer, header, deadline: noDeadline });
  if (subject === undefined) return context;
  const principal: Principal = { subject, scopes: new Set(), roles: new Set(), tenant, claims: {} };
  context.principal = principal;
  context.tenant = tenant;
  return context;
}

function execution(method: 'get' | 'probe'): ExecutionContext {
  return { getClass: () => Users, getHandler: () => Users.prototype[method] } as unknown as ExecutionContext;
}

// How many of `times` requests get through, and what the first refused one was told.
async function ask(guard: RateLimitGuard, caller: Caller, times = 1, method: 'get' | 'probe' = 'get') {
  let admitted = 0;
  let refusal: RookeryError | undefined;
  for (let i = 0; i < times; i += 1) {
    try {
      if (await runInContext(contextOf(caller), () => guard.canActivate(execution(method)))) admitted += 1;
    } catch (error) {
      if (!RookeryError.is(error)) throw error;
      refusal ??= error;
    }
  }
  return { admitted, refusal };
}

function optionsWith(options: Partial<QuotaOptions>): QuotaOptions {
  return { ...new QuotaOptions(), ...options };
}

function guardWith(options: Partial<QuotaOptions>): RateLimitGuard {
  return new RateLimitGuard(constant(optionsWith(options)));
}

describe('RateLimitGuard', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('limits nobody by default, synchronously', () => {
    const guard = guardWith({});

    // Not even a request context is looked for.
    expect(guard.canActivate(execution('get'))).toBe(true);
  });

  it('refuses what is beyond the rate, and says when to come back', async () => {
    const guard = guardWith({ ratePerSecond: 3 });

    const { admitted, refusal } = await ask(guard, { subject: 'alice' }, 4);

    expect([admitted, refusal?.reason, refusal?.httpStatus, refusal?.retryAfterMs]).toEqual([
      3,
      'RATE_LIMITED',
      429,
      1000,
    ]);
    vi.advanceTimersByTime(400);
    expect((await ask(guard, { subject: 'alice' })).refusal?.retryAfterMs).toBe(600);
    vi.advanceTimersByTime(600);
    expect((await ask(guard, { subject: 'alice' }, 4)).admitted).toBe(3);
  });

  it('gives a burst on top, once in ten seconds', async () => {
    const guard = guardWith({ ratePerSecond: 3, burst: 5 });

    expect((await ask(guard, { subject: 'alice' }, 20)).admitted).toBe(8);
    vi.advanceTimersByTime(1000);
    expect((await ask(guard, { subject: 'alice' }, 20)).admitted).toBe(3);
    vi.advanceTimersByTime(9000);
    expect((await ask(guard, { subject: 'alice' }, 20)).admitted).toBe(8);
  });

  it('counts by principal, and those without a token by their address', async () => {
    const guard = guardWith({ ratePerSecond: 1 });

    const outcomes = [
      { subject: 'alice' },
      { subject: 'bob' },
      {},
      { peer: '10.0.0.9' },
      { subject: 'alice', peer: '10.0.0.9' },
      { claimedTenant: 'x' },
    ];

    const admitted = [];
    for (const caller of outcomes) admitted.push((await ask(guard, caller)).admitted);
    expect(admitted).toEqual([1, 1, 1, 1, 0, 0]);
  });

  it('counts by tenant: what the token says, never what an anonymous caller claims', async () => {
    const guard = guardWith({ ratePerSecond: 1, by: 'tenant' });
    const callers = [
      { subject: 'alice', tenant: 'acme' },
      { subject: 'bob', tenant: 'acme' },
      { subject: 'carol' },
      { subject: 'dave' },
      { claimedTenant: 'one' },
      { claimedTenant: 'two' },
    ];

    const admitted = [];
    for (const caller of callers) admitted.push((await ask(guard, caller)).admitted);
    expect(admitted).toEqual([1, 0, 1, 1, 1, 0]);
  });

  it('counts by address whoever calls', async () => {
    const guard = guardWith({ ratePerSecond: 1, by: 'peer' });

    expect((await ask(guard, { subject: 'alice' })).admitted).toBe(1);
    expect((await ask(guard, { subject: 'bob' })).admitted).toBe(0);
  });

  it('does not count probes', async () => {
    const guard = guardWith({ ratePerSecond: 1 });

    expect((await ask(guard, {}, 5, 'probe')).admitted).toBe(5);
    expect((await ask(guard, {}, 2)).admitted).toBe(1);
  });

  it('follows its options while running, until it is shut down', async () => {
    const live = new LiveValue(optionsWith({}));
    const guard = new RateLimitGuard(live);
    expect((await ask(guard, {}, 9)).admitted).toBe(9);

    live.publish(optionsWith({ ratePerSecond: 2 }));
    expect((await ask(guard, {}, 9)).admitted).toBe(2);
    live.publish(optionsWith({ ratePerSecond: 2, by: 'peer' }));
    expect((await ask(guard, {}, 9)).admitted).toBe(0);
    live.publish(optionsWith({ ratePerSecond: 0 }));
    expect((await ask(guard, {}, 9)).admitted).toBe(9);
    guard.onApplicationShutdown();
    live.publish(optionsWith({ ratePerSecond: 2 }));
    expect((await ask(guard, {}, 9)).admitted).toBe(9);
  });

  it('holds changed limits against what was counted before', async () => {
    const live = new LiveValue(optionsWith({ ratePerSecond: 2, burst: 3 }));
    const guard = new RateLimitGuard(live);
    expect((await ask(guard, { subject: 'alice' }, 5)).admitted).toBe(5);

    live.publish(optionsWith({ ratePerSecond: 4, burst: 3 }));
    expect((await ask(guard, { subject: 'alice' }, 9)).admitted).toBe(0);
    live.publish(optionsWith({ ratePerSecond: 4, burst: 30 }));
    expect((await ask(guard, { subject: 'alice' }, 30)).admitted).toBeLessThan(30);
    vi.advanceTimersByTime(1000);
    live.publish(optionsWith({ ratePerSecond: 1, burst: 0 }));
    expect((await ask(guard, { subject: 'alice' }, 9)).admitted).toBe(1);
  });

  it('is what the module provides', async () => {
    const options: Live<QuotaOptions> = constant(optionsWith({ ratePerSecond: 1 }));
    const testing = await Test.createTestingModule({
      imports: [
        {
          module: class Settings {},
          global: true,
          providers: [{ provide: QUOTA_OPTIONS, useValue: options }],
          exports: [QUOTA_OPTIONS],
        },
        QuotaModule,
      ],
    }).compile();

    expect((await ask(testing.get(RateLimitGuard), {}, 2)).admitted).toBe(1);
    await testing.close();
  });
});

describe('RateLimiter', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('lets the callers beyond the bound share one allowance, until the window ends', async () => {
    vi.useFakeTimers();
    const limiter = new RateLimiter({ ratePerSecond: 1, burst: 0, maxKeys: 2 });
    const take = async (...keys: string[]) => {
      const waits = [];
      for (const key of keys) waits.push(await limiter.take(key));
      return waits;
    };

    expect(await take('a', 'b', 'c', 'd', 'a')).toEqual([undefined, undefined, undefined, 1000, 1000]);
    vi.advanceTimersByTime(1000);
    expect(await take('d', 'c', 'a')).toEqual([undefined, undefined, undefined]);
  });

  it('leaves nothing behind when its windows have ended', async () => {
    vi.useFakeTimers();
    const limiter = new RateLimiter({ ratePerSecond: 1, burst: 1, maxKeys: 10 });

    for (const key of ['a', 'a', 'b', 'b']) await limiter.take(key);
    expect(vi.getTimerCount()).toBe(4);
    vi.advanceTimersByTime(10_000);

    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('QuotaOptions', () => {
  it('is off by default, and refuses what makes no sense', () => {
    const wrong = (plain: object) =>
      validateSync(plainToInstance(QuotaOptions, plain), { whitelist: true, forbidNonWhitelisted: true }).map(
        ({ property }) => property,
      );

    expect([new QuotaOptions().ratePerSecond, wrong({})]).toEqual([0, []]);
    expect(new Set(wrong({ ratePerSecond: -1, burst: 0.5, by: 'name', maxKeys: 0, more: 1 }))).toEqual(
      new Set(['ratePerSecond', 'burst', 'by', 'maxKeys', 'more']),
    );
  });
});
