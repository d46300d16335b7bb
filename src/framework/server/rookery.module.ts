import {
  type DynamicModule,
  type FactoryProvider,
  Module,
  type Provider,
  type Type,
  type ValueProvider,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { AUTH_OPTIONS, AuthGuard, AuthModule } from '../auth/index.js';
import { type ConfigStore, RookeryConfigModule } from '../config/index.js';
import { Lifecycle, MetricRegistry, ProbeRegistry } from '../core/index.js';
import { FEATURE_OPTIONS, FeatureGuard, FeaturesModule } from '../features/index.js';
import { GRPC_OPTIONS } from '../grpc/index.js';
import { HEALTH_OPTIONS, HealthModule } from '../health/index.js';
import { EnvelopeInterceptor, ErrorFilter, HTTP_OPTIONS } from '../http/index.js';
import { LIMIT_OPTIONS, MESSAGE_POLICY, PolicyGuard, StrictValidationPipe } from '../pipeline/index.js';
import { QUOTA_OPTIONS, QuotaModule, RateLimitGuard } from '../quota/index.js';
import { LOG_OPTIONS, TELEMETRY_OPTIONS, TelemetryModule } from '../telemetry/index.js';
import type { BoundOptions } from './bound-options.js';
import { servedOnMain } from './exposed.js';
import { SERVER_OPTIONS } from './server.options.js';

/** What the application is put together from. */
export interface RookeryModuleInit {
  readonly application: Type | DynamicModule;
  readonly store: ConfigStore;
  readonly options: BoundOptions;
  readonly lifecycle: Lifecycle;
  /** Folder of the configuration. */
  readonly configDirectory: string;
}

/**
 * The pipeline as Nest sees it: global guards, pipe, interceptor and filter, which hold on every face as the
 * microservice side inherits them. Their order is the order of the list.
 */
const pipeline: Provider[] = [
  PolicyGuard,
  { provide: APP_GUARD, useExisting: PolicyGuard },
  { provide: APP_GUARD, useExisting: AuthGuard },
  { provide: APP_GUARD, useExisting: RateLimitGuard },
  { provide: APP_GUARD, useExisting: FeatureGuard },
  { provide: APP_PIPE, useClass: StrictValidationPipe },
  { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
  { provide: APP_FILTER, useClass: ErrorFilter },
];

/** The root module of a service: the framework's modules and the application's own. Made by `createService()`. */
@Module({})
export class RookeryModule {
  static forRoot({ application, store, options, lifecycle, configDirectory }: RookeryModuleInit): DynamicModule {
    const { app, auth, features, grpc, health, http, limits, log, quota, server, telemetry } = options;
    const shared: (ValueProvider | FactoryProvider)[] = [
      { provide: Lifecycle, useValue: lifecycle },
      { provide: MetricRegistry, useValue: new MetricRegistry() },
      { provide: ProbeRegistry, useValue: new ProbeRegistry() },
      { provide: AUTH_OPTIONS, useValue: auth },
      { provide: FEATURE_OPTIONS, useValue: features },
      { provide: GRPC_OPTIONS, useValue: grpc },
      { provide: HEALTH_OPTIONS, useValue: health },
      { provide: HTTP_OPTIONS, useValue: http },
      { provide: LIMIT_OPTIONS, useValue: limits },
      { provide: MESSAGE_POLICY, useValue: grpc },
      { provide: LOG_OPTIONS, useValue: log },
      { provide: QUOTA_OPTIONS, useValue: quota },
      { provide: SERVER_OPTIONS, useValue: server },
      { provide: TELEMETRY_OPTIONS, useValue: telemetry },
    ];
    return {
      module: RookeryModule,
      global: true,
      imports: [
        RookeryConfigModule.forRoot(store, { directory: configDirectory }),
        servedOnMain(options).metrics === 'off' ? TelemetryModule : TelemetryModule.withMetricsRoute(),
        AuthModule.forRoot({ appName: app.value.name, env: store.env }),
        QuotaModule,
        FeaturesModule,
        HealthModule,
        application,
      ],
      providers: [...shared, ...pipeline],
      exports: shared.map(({ provide }) => provide),
    };
  }
}
