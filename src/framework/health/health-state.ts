import type { DescMethod } from '@bufbuild/protobuf';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  constant,
  HealthSource,
  Lifecycle,
  type Live,
  metadataKeys,
  type ProbeKind,
  ProbeRegistry,
} from '../core/index.js';
import { HEALTH_OPTIONS, HealthOptions } from './health.options.js';
import { type ProbeResult, ProbeRunner } from './probe-runner.js';

/**
 * Whether the process serves, from its phase and its probes: the one state behind `/health/*` and `grpc.health.v1`.
 * Probes of the kind `ready` are checked now and then without being asked, so that watchers hear of changes; a change
 * of phase counts at once.
 */
@Injectable()
export class HealthState extends HealthSource implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #lifecycle: Lifecycle;
  readonly #runner: ProbeRunner;
  readonly #options: Live<HealthOptions>;
  readonly #modules: ModulesContainer;
  readonly #listeners = new Set<() => void>();
  readonly #services = new Set<string>(['']);
  #subscriptions: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #areProbesUp = false;
  #wasServing = false;

  constructor(
    @Inject(Lifecycle) lifecycle: Lifecycle,
    @Inject(ProbeRegistry) registry: ProbeRegistry,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Optional() @Inject(HEALTH_OPTIONS) options: Live<HealthOptions> = constant(new HealthOptions()),
  ) {
    super();
    this.#lifecycle = lifecycle;
    this.#modules = modules;
    this.#options = options;
    this.#runner = new ProbeRunner(registry, options);
  }

  /** Takes requests: the phase is `ready` and every probe of that kind was up when it was last checked. */
  get isServing(): boolean {
    return this.#lifecycle.phase === 'ready' && this.#areProbesUp;
  }

  /** The name of the phase the process is in. */
  get phase(): Lifecycle['phase'] {
    return this.#lifecycle.phase;
  }

  /** Checks the probes of a kind, or tells how they were a moment ago. Never rejects. */
  async check(kind: ProbeKind): Promise<readonly ProbeResult[]> {
    const results = await this.#runner.run(kind);
    if (kind === 'ready') {
      this.#areProbesUp = results.every(({ isUp }) => isUp);
      this.#tellIfChanged();
    }
    return results;
  }

  override status(service: string): 'SERVING' | 'NOT_SERVING' | undefined {
    if (!this.#services.has(service)) return undefined;
    return this.isServing ? 'SERVING' : 'NOT_SERVING';
  }

  override onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override services(): string[] {
    return [...this.#services];
  }

  /** Makes services known by their full names, besides those of handlers with `@Rpc()`, which are known by themselves. */
  addServices(names: Iterable<string>): void {
    for (const name of names) this.#services.add(name);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.addServices(servicesOf(this.#modules));
    this.#subscriptions = [
      this.#lifecycle.onChange(() => this.#tellIfChanged()),
      this.#options.subscribe(() => this.#schedule()),
    ];
    await this.check('ready');
    this.#schedule();
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** Stops the checks of its own accord. May be called twice. */
  close(): void {
    for (const leave of this.#subscriptions) leave();
    this.#subscriptions = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // The next check is planned when one has ended: slow probes do not pile up.
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#subscriptions.length === 0) return;
    this.#timer = setTimeout(
      () => void this.check('ready').then(() => this.#schedule()),
      this.#options.value.refreshMs,
    );
    this.#timer.unref();
  }

  #tellIfChanged(): void {
    const { isServing } = this;
    if (isServing === this.#wasServing) return;
    this.#wasServing = isServing;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}

function servicesOf(modules: ModulesContainer): string[] {
  const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return controllers.flatMap(({ metatype }) => {
    const { prototype } = metatype as { prototype?: object };
    const members = Object.values(Object.getOwnPropertyDescriptors(prototype ?? {})).map(({ value }): unknown => value);
    return members.flatMap((member) => {
      if (typeof member !== 'function') return [];
      const rpc = Reflect.getMetadata(metadataKeys.rpc, member) as DescMethod | undefined;
      return rpc === undefined ? [] : [rpc.parent.typeName];
    });
  });
}
