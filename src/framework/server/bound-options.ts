import { AuthOptions } from '../auth/index.js';
import { ConfigError, type ConfigStore, injectedConfigs, RemoteSource, sectionOf } from '../config/index.js';
import type { Live } from '../core/index.js';
import { FeatureOptions } from '../features/index.js';
import { GrpcOptions } from '../grpc/index.js';
import { HealthOptions } from '../health/index.js';
import { HttpOptions } from '../http/index.js';
import { LimitOptions } from '../pipeline/index.js';
import { QuotaOptions } from '../quota/index.js';
import { LogOptions, TelemetryOptions } from '../telemetry/index.js';
import { AppOptions } from './app.options.js';
import { ManagementOptions } from './management.options.js';
import { ServerOptions } from './server.options.js';

/** The present options of every module of the framework. */
export interface BoundOptions {
  readonly app: Live<AppOptions>;
  readonly auth: Live<AuthOptions>;
  readonly features: Live<FeatureOptions>;
  readonly grpc: Live<GrpcOptions>;
  readonly health: Live<HealthOptions>;
  readonly http: Live<HttpOptions>;
  readonly limits: Live<LimitOptions>;
  readonly log: Live<LogOptions>;
  readonly management: Live<ManagementOptions>;
  readonly quota: Live<QuotaOptions>;
  readonly server: Live<ServerOptions>;
  readonly telemetry: Live<TelemetryOptions>;
}

/**
 * Ties the sections of the configuration to the modules they are for.
 *
 * @throws ConfigError with all problems of all sections
 */
export function bindOptions(store: ConfigStore): BoundOptions {
  const [app, auth, features, grpc, health, http, limits, log, management, quota, server, telemetry] = store.bindAll([
    ['app', AppOptions],
    ['auth', AuthOptions],
    ['features', FeatureOptions],
    ['grpc', GrpcOptions],
    ['health', HealthOptions],
    ['http', HttpOptions],
    ['server.limits', LimitOptions],
    ['log', LogOptions],
    ['management', ManagementOptions],
    ['quota', QuotaOptions],
    ['server', ServerOptions],
    ['telemetry', TelemetryOptions],
  ]);
  return { app, auth, features, grpc, health, http, limits, log, management, quota, server, telemetry };
}

/**
 * As `bindOptions()`, and the classes that the application asks for as well. When what the centre says is not valid and the
 * last good values are on disk, these take its place.
 *
 * @throws ConfigError with all problems of the framework's sections, or else of the application's
 */
export function bindGoodOptions(store: ConfigStore): BoundOptions {
  const bindAll = (): BoundOptions => {
    const options = bindOptions(store);
    store.bindAll(injectedConfigs().map(sectionOf));
    return options;
  };
  try {
    return bindAll();
  } catch (error) {
    if (!(error instanceof ConfigError) || RemoteSource.of(store)?.fallBack(error) !== true) throw error;
    return bindAll();
  }
}
