import type { DescService } from '@bufbuild/protobuf';
import type { DynamicModule, Type } from '@nestjs/common';
import { createService, type Service } from '../server/index.js';
import { signTestToken, testSecret } from './test-token.js';

/** How a service under test differs from one that is started by hand. */
export interface TestServiceOptions {
  /**
   * Settings by path, such as `{ 'server.limits.maxBodyBytes': 1024 }`. They win over everything else. `undefined` takes a
   * default of these tests away, such as `auth.jwt.secret` where another key source is set.
   */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Variables such as `DATABASE_URL`. The environment of the process is not looked at. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of `application.yaml` and `application-test.yaml`; `config` by default. */
  readonly configDirectory?: string;
  /** As for `createService()`. */
  readonly services?: readonly DescService[];
}

/** A service that listens on a free port of 127.0.0.1. */
export interface TestService {
  readonly service: Service;
  /** `http://127.0.0.1:port`, or `https://…`. */
  readonly url: string;
  /** `127.0.0.1:port`, for a gRPC client. */
  readonly address: string;
  readonly port: number;
  /** A token that the service takes; see `signTestToken()` for the claims. */
  token(claims?: Readonly<Record<string, unknown>>): string;
  /** Drains and stops. May be called twice. */
  close(): Promise<0 | 2>;
}

const defaults: Readonly<Record<string, unknown>> = {
  'server.host': '127.0.0.1',
  'server.port': 0,
  // Tests close when they are done: nobody is on his way with one more request.
  'server.idleLingerMs': 0,
  'server.drainDelayMs': 0,
  'server.graceMs': 5000,
  'log.level': 'silent',
  'auth.jwt.secret': testSecret,
};

/**
 * Starts a service on a free port: environment `test`, log silent, tokens signed with `testSecret`, SQLite in memory.
 * It does not own the process: no signal handlers, no exit.
 *
 * @throws what `createService()` and `listen()` throw; nothing stays open then
 */
export async function startTestService(
  application: Type | DynamicModule,
  options: TestServiceOptions = {},
): Promise<TestService> {
  const { set = {}, env = {}, configDirectory, services = [] } = options;
  const service = await createService(application, {
    ownsProcess: false,
    services,
    config: {
      environment: { ROOKERY_ENV: 'test', DATABASE_URL: 'sqlite::memory:', ...env },
      argv: Object.entries({ ...defaults, ...set })
        .filter(([, value]) => value !== undefined)
        .flatMap(([path, value]) => ['--set', `${path}=${textOf(value)}`]),
      ...(configDirectory !== undefined && { directory: configDirectory }),
    },
  });
  await service.listen();
  const { address, url } = service;
  return {
    service,
    url,
    address,
    port: Number(new URL(url).port),
    token: (claims) => signTestToken(claims),
    close: () => service.close(),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
