import {
  ConfigurableModuleBuilder,
  Inject,
  Logger,
  Module,
  type OnApplicationShutdown,
  Optional,
} from '@nestjs/common';
import { type Live, type Metric, MetricRegistry, OperatorAccess, project } from '../core/index.js';
import { AuthGuard } from './auth.guard.js';
import { AUTH_OPTIONS, type AuthOptions } from './auth.options.js';
import { type AuthIdentity, AuthKeys } from './auth-keys.js';
import { DevelopmentToken } from './development-token.js';
import { FailureBudget } from './failure-budget.js';
import { ServiceTokens } from './service-tokens.js';
import { TokenVerifier } from './token-verifier.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<AuthIdentity>({
  moduleName: 'Auth',
})
  .setClassMethodName('forRoot')
  .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
  .build();

/**
 * Provides `TokenVerifier`, `AuthGuard` (as `OperatorAccess` too), `ServiceTokens`, `DevelopmentToken` and `AuthKeys`, to all modules. Needs a
 * global provider of `AUTH_OPTIONS`. The guard is not registered: the application says where it stands among the others.
 *
 * @example
 * imports: [AuthModule.forRoot({ appName: 'users', env: 'production' })]
 * providers: [{ provide: APP_GUARD, useExisting: AuthGuard }]
 */
@Module({
  providers: [
    AuthGuard,
    { provide: OperatorAccess, useExisting: AuthGuard },
    {
      provide: AuthKeys,
      inject: [AUTH_OPTIONS, MODULE_OPTIONS_TOKEN],
      useFactory: (options: Live<AuthOptions>, identity: AuthIdentity) => {
        const logger = new Logger('Auth');
        return new AuthKeys(options, identity, { warn: (line) => logger.warn(line) });
      },
    },
    {
      provide: FailureBudget,
      inject: [AUTH_OPTIONS],
      useFactory: (options: Live<AuthOptions>) => new FailureBudget(project(options, ({ failures }) => failures)),
    },
    {
      provide: TokenVerifier,
      inject: [AuthKeys, MODULE_OPTIONS_TOKEN, FailureBudget],
      useFactory: (keys: AuthKeys, identity: AuthIdentity, failures: FailureBudget) =>
        new TokenVerifier(keys, identity, Date.now, failures),
    },
    {
      provide: ServiceTokens,
      inject: [AuthKeys, MODULE_OPTIONS_TOKEN],
      useFactory: (keys: AuthKeys, identity: AuthIdentity) => new ServiceTokens(keys, identity),
    },
    {
      provide: DevelopmentToken,
      inject: [AuthKeys, MODULE_OPTIONS_TOKEN],
      useFactory: (keys: AuthKeys, identity: AuthIdentity) => new DevelopmentToken(keys, identity),
    },
  ],
  exports: [AuthGuard, OperatorAccess, AuthKeys, TokenVerifier, ServiceTokens, DevelopmentToken],
})
export class AuthModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  readonly #closing: readonly { close(): void }[];

  constructor(
    keys: AuthKeys,
    verifier: TokenVerifier,
    serviceTokens: ServiceTokens,
    failures: FailureBudget,
    @Optional() @Inject(MetricRegistry) registry?: MetricRegistry,
  ) {
    super();
    this.#closing = [serviceTokens, verifier, keys];
    registry?.register(() => failureMetrics(failures));
  }

  /** After the last request: until then tokens are checked and shown. */
  onApplicationShutdown(): void {
    for (const one of this.#closing) one.close();
  }
}

function failureMetrics({ failed, refused, size }: FailureBudget): readonly Metric[] {
  return [
    {
      name: 'rookery_auth_tokens_failed_total',
      help: 'Bearer tokens that count against the bound on invalid ones.',
      type: 'counter',
      samples: [{ value: failed }],
    },
    {
      name: 'rookery_auth_tokens_refused_total',
      help: 'Bearer tokens refused unchecked, as their peer had sent too many that are not valid.',
      type: 'counter',
      samples: [{ value: refused }],
    },
    {
      name: 'rookery_auth_failing_peers',
      help: 'Peers whose invalid tokens are remembered.',
      type: 'gauge',
      samples: [{ value: size }],
    },
  ];
}
