import type { DescService } from '@bufbuild/protobuf';
import type { DynamicModule, Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { assertKeysConfigured, AuthKeys } from '../auth/index.js';
import {
  type ConfigStore,
  defaultConfigDirectory,
  environmentNotices,
  type LoadConfigInit,
  loadConfig,
} from '../config/index.js';
import { Lifecycle, Shares } from '../core/index.js';
import { HttpAdapter } from '../http/index.js';
import { RequestGate, shareLimitsOf } from '../pipeline/index.js';
import type { Samples } from './banner.js';
import { bindGoodOptions } from './bound-options.js';
import { ownProcess, type StartWatch } from './process.js';
import { protectedOperations } from './operations.js';
import { isTrusting } from './proxy-rules.js';
import { RookeryModule } from './rookery.module.js';
import { Service } from './service.js';
import { assertNodeVersion } from './node-version.js';

/** How a service is made; every part has a default. */
export interface CreateServiceOptions {
  /** Where the configuration comes from: `config/`, Nacos if it says so, the environment and the command line by default. */
  readonly config?: LoadConfigInit;
  /**
   * Whether the service owns the process (default true): SIGTERM, SIGINT and SIGQUIT drain it, SIGHUP reloads the
   * configuration files, SIGUSR2 logs a report; a failed start prints its reason and exits with 1, a stop exits with 0 or 2.
   * An uncaught exception or unhandled rejection drains it for `server.crashGraceMs`, and exits with 1. Tests, and programs
   * with several services, say false.
   */
  readonly ownsProcess?: boolean;
  /** Requests to print in development when the service is up. */
  readonly samples?: Samples;
  /** Descriptors of services whose handlers use Nest's own `@GrpcMethod` and its kin; `@GrpcService` brings its own. */
  readonly services?: readonly DescService[];
}

/**
 * Builds a Nest application that answers REST and gRPC on one port, from `application`'s controllers. Nothing listens
 * until `listen()`.
 *
 * @throws ConfigError, StartError and what the application's own providers throw; with `ownsProcess` the process ends
 *   with 1 and a readable line instead
 * @example
 * const service = await createService(AppModule);
 * await service.listen();
 */
export async function createService(
  application: Type | DynamicModule,
  options: CreateServiceOptions = {},
): Promise<Service> {
  if (options.ownsProcess === false) return build(application, options);
  return ownProcess((watch) => build(application, options, watch));
}

async function build(
  application: Type | DynamicModule,
  options: CreateServiceOptions,
  watch?: StartWatch,
): Promise<Service> {
  assertNodeVersion(process.versions.node);
  const { environment = process.env, directory = defaultConfigDirectory } = options.config ?? {};
  const notices = await environmentNotices(environment, directory);
  watch?.onNotices(notices);
  const store: ConfigStore = await loadConfig(options.config);
  try {
    return await buildWith(store, application, options, { notices, watch });
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function buildWith(
  store: ConfigStore,
  application: Type | DynamicModule,
  options: CreateServiceOptions,
  { notices, watch }: { readonly notices: readonly string[]; readonly watch: StartWatch | undefined },
): Promise<Service> {
  const bound = bindGoodOptions(store);
  watch?.onOptions(bound.log, store.env);
  const lifecycle = new Lifecycle();
  const shares = new Shares(shareLimitsOf(bound.limits.value, bound.server.value.maxConnections));
  const gate = new RequestGate(lifecycle, bound.limits, shares);
  const adapter = new HttpAdapter({
    gate,
    limits: bound.limits,
    trustsProxies: () => isTrusting(bound.server.value.trustProxy),
    securityHeaders: bound.http.value.securityHeaders,
  });
  const configDirectory = options.config?.directory ?? defaultConfigDirectory;
  const module = RookeryModule.forRoot({ application, store, options: bound, lifecycle, configDirectory });
  // No logger until there is ours: of a start that fails Nest would write the error with its stack and all it carries.
  const nestOptions = { bufferLogs: true, abortOnError: false, logger: false } as const;
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, nestOptions);
  try {
    assertKeysConfigured(app.get(AuthKeys).value, protectedOperations(app.get(ModulesContainer)));
    return await Service.assemble({
      app,
      store,
      options: bound,
      lifecycle,
      gate,
      shares,
      samples: options.samples ?? {},
      services: options.services ?? [],
      configDirectory,
      notices,
    });
  } catch (error) {
    await app.close();
    throw error;
  }
}
