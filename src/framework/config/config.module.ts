import {
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { MetricRegistry, type OptionsClass, ProbeRegistry } from '../core/index.js';
import { ConfigCentre, type ConfigCentreInit } from './config-centre.js';
import { configToken, injectedConfigs } from './config.decorator.js';
import { ConfigOptions } from './config.options.js';
import { ConfigServiceMirror } from './config-service-mirror.js';
import { ConfigStore } from './config-store.js';
import { NacosConfig } from './nacos-config.js';
import { NacosConfigOptions } from './nacos-config.options.js';
import type { ConfigTree } from './layer.js';
import { sectionOf } from './section.js';

const LOADED_TREE = Symbol('rookery.config.loaded');

/** What `ConfigService` was filled with, when it has been. */
interface LoadedTree {
  tree: ConfigTree;
}

/**
 * Makes the configuration injectable everywhere: `ConfigStore`, `@Config(X)` for every class that the code loaded so
 * far asks for, and `@nestjs/config`'s `ConfigService` with the same values, also after changes.
 *
 * @example
 * @Module({ imports: [RookeryConfigModule.forRoot(await loadConfig()), UsersModule] })
 * export class AppModule {}
 */
@Module({})
export class RookeryConfigModule implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #store: ConfigStore;
  readonly #centre: ConfigCentre;
  #unsubscribe: (() => void) | undefined;
  readonly #mirror: ConfigServiceMirror;

  constructor(
    @Inject(ConfigStore) store: ConfigStore,
    @Inject(ConfigService) service: ConfigService,
    @Inject(ConfigCentre) centre: ConfigCentre,
    @Inject(LOADED_TREE) loaded: LoadedTree,
  ) {
    this.#store = store;
    this.#mirror = new ConfigServiceMirror(service, loaded.tree);
    this.#centre = centre;
    this.#unsubscribe = store.onChange((tree) => this.#mirror.show(tree));
    // Modules may have bound more classes, with more defaults, since the service was filled.
    this.#mirror.show(store.tree());
  }

  /**
   * @param directory folder whose files are watched from the application's bootstrap until it closes; none when left out
   * @throws ConfigError with the problems of all classes that `@Config` asks for
   */
  static forRoot(store: ConfigStore, { directory }: { readonly directory?: string } = {}): DynamicModule {
    const [own] = store.bindAll([sectionOf(ConfigOptions), sectionOf(NacosConfigOptions)]);
    const options = injectedConfigs();
    const lives = store.bindAll(options.map(sectionOf));
    const providers = options.map((each, index) => ({ provide: configToken(each), useValue: lives[index] }));
    const loaded: LoadedTree = { tree: {} };
    return {
      module: RookeryConfigModule,
      global: true,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          validatePredefined: false,
          load: [() => (loaded.tree = store.tree())],
        }),
      ],
      providers: [
        { provide: ConfigStore, useValue: store },
        { provide: LOADED_TREE, useValue: loaded },
        { provide: NacosConfig, useValue: new NacosConfig(store) },
        {
          provide: ConfigCentre,
          inject: [
            { token: ProbeRegistry, optional: true },
            { token: MetricRegistry, optional: true },
          ],
          useFactory: (probes?: ProbeRegistry, metrics?: MetricRegistry) =>
            new ConfigCentre({ store, options: own, directory, probes, metrics, log: nestLog() }),
        },
        ...providers,
      ],
      exports: [ConfigStore, NacosConfig, ...providers.map(({ provide }) => provide)],
    };
  }

  /** Provides `@Config(X)` in a module whose code is loaded after `forRoot()`, such as a lazily loaded one. */
  static forFeature(options: readonly OptionsClass[]): DynamicModule {
    const providers = options.map((each) => ({
      provide: configToken(each),
      useFactory: (store: ConfigStore) => store.of(each),
      inject: [ConfigStore],
    }));
    return { module: ConfigFeatureModule, providers, exports: providers.map(({ provide }) => provide) };
  }

  onModuleInit(): void {
    // What features have put into the service since.
    this.#mirror.show(this.#store.tree());
  }

  onApplicationBootstrap(): void {
    this.#centre.start((section) => this.#mirror.has(section));
  }

  async onModuleDestroy(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    await Promise.all([this.#centre.close(), this.#store.close()]);
  }
}

function nestLog(): ConfigCentreInit['log'] {
  const logger = new Logger('Config');
  return { info: (line) => logger.log(line), warn: (line) => logger.warn(line) };
}

@Module({})
class ConfigFeatureModule {}
