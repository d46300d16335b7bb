import { lookup } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { DescService } from '@bufbuild/protobuf';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import { DevelopmentToken } from '../auth/index.js';
import type { ConfigStore } from '../config/index.js';
import { HealthSource, type Lifecycle, MetricRegistry, project, type Shares } from '../core/index.js';
import { GrpcServer, GrpcStrategy, GrpcWeb } from '../grpc/index.js';
import {
  composeRoutes,
  HttpAdapter,
  RestRequests,
  registerApiDocs,
  registerHttpPlugins,
  securityHeaders,
} from '../http/index.js';
import { HandlerSource, type RequestGate } from '../pipeline/index.js';
import type { Logger as PlainLogger } from 'pino';
import { LOGGER, serializeError, standardOutput } from '../telemetry/index.js';
import { bannerLines, type Samples } from './banner.js';
import type { BoundOptions } from './bound-options.js';
import { reloadAndReport } from './config-reload.js';
import { diagnosticsOf } from './diagnostics.js';
import { OnePort } from './one-port.js';
import type { ServiceOwner } from './process.js';
import { runShutdown } from './shutdown.js';
import { StartError } from './start-error.js';
import { startLogger } from './start-logger.js';

/** The parts of a service, made and tied together by `createService()`. */
export interface ServiceParts {
  readonly app: NestFastifyApplication;
  readonly store: ConfigStore;
  readonly options: BoundOptions;
  readonly lifecycle: Lifecycle;
  readonly gate: RequestGate;
  readonly shares: Shares;
  readonly samples: Samples;
  readonly services: readonly DescService[];
  /** Folder of the configuration. */
  readonly configDirectory: string;
}

/** Times of one stop, in place of the settings. */
export interface StopTimes {
  /** `server.drainDelayMs` of this stop. */
  readonly drainDelayMs?: number;
  /** `server.graceMs` of this stop. */
  readonly graceMs?: number;
}

/** A Nest application on one port, and its life. */
export class Service {
  /** The Nest application: `get()`, `resolve()` and all the rest. */
  readonly app: NestFastifyApplication;
  /** The configuration it runs with. */
  readonly config: ConfigStore;
  readonly lifecycle: Lifecycle;
  readonly #parts: ServiceParts;
  readonly #logger: Logger;
  readonly #port: OnePort;
  #closing: Promise<0 | 2> | undefined;
  #owner: ServiceOwner | undefined;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(parts: ServiceParts, port: OnePort) {
    this.app = parts.app;
    this.config = parts.store;
    this.lifecycle = parts.lifecycle;
    this.#parts = parts;
    this.#logger = parts.app.get(Logger);
    this.#port = port;
  }

  /** @internal */
  static async assemble(parts: ServiceParts): Promise<Service> {
    const { app, options, gate, lifecycle, shares } = parts;
    const logger = app.get(Logger);
    app.useLogger(startLogger(logger));
    await registerHttpPlugins(app, options.http);
    const grpc = new GrpcServer({
      gate,
      lifecycle,
      limits: options.limits,
      options: options.grpc,
      health: app.get(HealthSource),
      domain: options.app.value.name,
    });
    const adapter = app.getHttpAdapter();
    const handlers = await HandlerSource.of(app, adapter);
    const strategy = new GrpcStrategy(grpc, parts.services);
    if (handlers !== undefined) {
      composeRoutes(adapter, handlers);
      strategy.composeWith(handlers);
    }
    app.connectMicroservice({ strategy }, { inheritAppConfig: true });
    if (adapter instanceof HttpAdapter) adapter.addRpcs((path) => grpc.operationAt(path) !== undefined);
    const fastify = adapter.getInstance();
    const port = new OnePort({
      server: fastify.server,
      options: options.server,
      limits: options.limits,
      shares,
      grpc,
      grpcWeb: new GrpcWeb({ grpc, gate, cors: project(options.http, ({ cors }) => cors) }),
      http: new RestRequests({
        gate,
        limits: options.limits,
        headers: options.http.value.securityHeaders ? securityHeaders() : {},
        handle: (request, response) => {
          if (adapter instanceof HttpAdapter) adapter.serve(request, response);
          else fastify.routing(request as never, response as never);
        },
        ...(adapter instanceof HttpAdapter && { unknownMethod: (...asked) => adapter.refusal(...asked) }),
      }),
      log: (message, fields) => logger.log({ ...fields, msg: message }),
    });
    app.get(MetricRegistry).register(() => [
      ...port.metrics(),
      {
        name: 'rookery_requests_in_flight',
        help: 'Requests that have begun and are not over, REST and gRPC together.',
        type: 'gauge',
        samples: [{ value: lifecycle.inFlight }],
      },
    ]);
    return new Service(parts, port);
  }

  /** @internal */
  ownBy(owner: ServiceOwner): void {
    this.#owner = owner;
  }

  /**
   * Starts the application, listens, and turns the probes green.
   *
   * @throws what the application's life cycle hooks throw; the address is in use or not allowed
   */
  async listen(): Promise<this> {
    try {
      await this.#start();
    } catch (error) {
      // The stop is under way and ends the process with its own code.
      if (this.#owner !== undefined && this.#closing !== undefined) return new Promise<this>(() => {});
      this.#owner?.failStart(error);
      await this.app.close();
      throw error;
    }
    this.#owner?.started();
    return this;
  }

  async #start(): Promise<void> {
    const { app, options } = this.#parts;
    const { host, port } = options.server.value;
    // Here, as a prefix and versions are set on the application that `createService()` made.
    if (options.http.value.docs) {
      await registerApiDocs(app, { title: options.app.value.name, version: options.app.value.version });
    }
    await app.init();
    await app.startAllMicroservices();
    this.#assertOpen();
    this.#port.attach();
    // Fastify would open a second server for the name localhost, which nobody looks after.
    const { address } = await lookup(host, { order: 'ipv4first' });
    this.#assertOpen();
    await app.listen(port, address);
    this.#assertOpen();
    this.lifecycle.advance('ready');
    this.#logger.log({ msg: 'listening', address: this.address, env: this.config.env });
    await this.#greet();
  }

  // A stop during the start has closed what would be opened now.
  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StartError('stopped during the start');
  }

  async #greet(): Promise<void> {
    const { app, samples, options } = this.#parts;
    if (this.config.env !== 'development' || this.#owner === undefined) return;
    const token = await app.get(DevelopmentToken).issue({ scopes: samples.scopes ?? [] });
    const isTls = options.server.value.tls.certFile !== undefined;
    const lines = bannerLines({
      name: options.app.value.name,
      env: this.config.env,
      address: this.address,
      isTls,
      samples,
      token,
    });
    standardOutput().write(`${lines.join('\n')}\n`);
  }

  /** `host:port` to reach it at from this machine. */
  get address(): string {
    const { address, port, family } = this.app.getHttpServer().address() as AddressInfo;
    const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address;
    return family === 'IPv6' && host !== 'localhost' ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** `http://host:port`, or `https://…`. */
  get url(): string {
    return `${this.#parts.options.server.value.tls.certFile === undefined ? 'http' : 'https'}://${this.address}`;
  }

  /**
   * Drains and stops: readiness red, drain delay, refuse new work, finish what runs, close drivers. A second call waits
   * for the first.
   *
   * @param times in place of the settings, for this stop
   * @returns the exit code: 0 when everything ended by itself, 2 when a time limit cut something off or closing failed
   */
  close(times: StopTimes = {}): Promise<0 | 2> {
    this.#closing ??= this.#stop(times);
    return this.#closing;
  }

  /**
   * Reads the files of the configuration now, watched or not, and logs the outcome. Never rejects: when anything is wrong, the
   * values stay.
   */
  reload(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload());
    return this.#reloading;
  }

  /** @internal how long running requests may go on after a crash, in ms */
  get crashGraceMs(): number {
    return this.#parts.options.server.value.crashGraceMs;
  }

  /** @internal a stop without the drain delay; one that is under way is waited for no longer than `graceMs` */
  async drainAfterCrash(graceMs: number): Promise<void> {
    if (this.#closing === undefined) await this.close({ drainDelayMs: 0, graceMs });
    else await Promise.race([this.#closing, delay(graceMs)]);
  }

  /** @internal */
  reportCrash(error: unknown, origin: string): void {
    this.#plain.fatal({ origin, inFlight: this.lifecycle.inFlight, err: serializeError(error) }, 'crashed');
  }

  /** @internal */
  reportDiagnostics(): void {
    const { lifecycle, store } = this.#parts;
    // Whatever the level is: the operator has asked for it.
    const always = this.#plain.child({}, { level: 'info' });
    always.info(diagnosticsOf({ lifecycle, store, connections: this.#port.stats() }), 'diagnostics');
  }

  /** @internal */
  note(message: string): void {
    this.#plain.warn(message);
  }

  get #plain(): PlainLogger {
    return this.app.get<PlainLogger>(LOGGER, { strict: false });
  }

  async #reload(): Promise<void> {
    if (this.#closing !== undefined) return;
    const { store, configDirectory } = this.#parts;
    await reloadAndReport(store, configDirectory, this.#plain);
  }

  #stop(times: StopTimes): Promise<0 | 2> {
    const { drainDelayMs, graceMs } = this.#parts.options.server.value;
    return runShutdown({
      lifecycle: this.lifecycle,
      announce: () => this.#port.announceDrain(),
      drainDelayMs: times.drainDelayMs ?? drainDelayMs ?? defaultDrainDelayMs(),
      drain: (limitMs) => this.#port.drain(limitMs),
      graceMs: times.graceMs ?? graceMs,
      closeApplication: async () => {
        try {
          await this.app.close();
        } finally {
          this.#port.close();
        }
      },
      log: (message, fields) => this.#logger.log({ ...fields, msg: message }),
    });
  }
}

// Kubernetes goes on sending for a while after it has asked for the stop; elsewhere nobody has to be waited for.
function defaultDrainDelayMs(): number {
  return process.env.KUBERNETES_SERVICE_HOST === undefined ? 0 : 5000;
}
