import { lookup } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { DescService } from '@bufbuild/protobuf';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import type { Logger as PlainLogger } from 'pino';
import { DevelopmentToken } from '../auth/index.js';
import type { ConfigStore } from '../config/index.js';
import { type Lifecycle, OperatorAccess } from '../core/index.js';
import type { GrpcServer } from '../grpc/index.js';
import { registerApiDocs } from '../http/index.js';
import { LOGGER, serializeError, standardOutput } from '../telemetry/index.js';
import { bannerLines } from './banner.js';
import { reloadAndReport } from './config-reload.js';
import { diagnosticsOf } from './diagnostics.js';
import { servedOnMain } from './exposed.js';
import type { ManagementPort } from './management-port.js';
import { IdleMemory } from './idle-memory.js';
import type { OnePort } from './one-port.js';
import { openManagement } from './open-management.js';
import { runShutdown } from './shutdown.js';
import { StartError } from './start-error.js';
import { type ServiceParts, wireTransports } from './wire-transports.js';

// Connections that wait to be accepted: as many as the kernel allows. Beyond Node's 511, the kernel drops what comes, and who
// has done nothing else tries again after a second, then two, then four.
const backlog = 65_535;

/** The owner of a process, as its service sees it. */
export interface ServiceOwner {
  /** The start failed: ends the process. */
  failStart(error: unknown): never;
  /** The service is up. */
  started(): void;
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
  readonly #grpc: GrpcServer;
  readonly #memory: IdleMemory;
  #management: ManagementPort | undefined;
  #closing: Promise<0 | 2> | undefined;
  #owner: ServiceOwner | undefined;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(parts: ServiceParts, port: OnePort, grpc: GrpcServer) {
    this.app = parts.app;
    this.config = parts.store;
    this.lifecycle = parts.lifecycle;
    this.#parts = parts;
    this.#logger = parts.app.get(Logger);
    this.#port = port;
    this.#grpc = grpc;
    this.#memory = new IdleMemory((outcome) => this.#logger.log({ msg: 'memory returned', ...outcome }));
  }

  /** @internal */
  static async assemble(parts: ServiceParts): Promise<Service> {
    const { grpc, port } = await wireTransports(parts);
    return new Service(parts, port, grpc);
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
      await this.#management?.close();
      throw error;
    }
    this.#owner?.started();
    return this;
  }

  async #start(): Promise<void> {
    const { app, options } = this.#parts;
    const { host, port } = options.server.value;
    // Here, as a prefix and versions are set on the application that `createService()` made.
    const api = { title: options.app.value.name, version: options.app.value.version };
    const { docs } = servedOnMain(options);
    if (docs === 'open') await registerApiDocs(app, api);
    else if (docs === 'token') {
      const access = app.get(OperatorAccess);
      await registerApiDocs(app, { ...api, admit: () => access.admitOperator('docs:read') });
    }
    await app.init();
    await app.startAllMicroservices();
    this.#assertOpen();
    this.#management = await openManagement(this.#parts, this.#grpc, () => this.#closing !== undefined);
    this.#port.attach();
    // Fastify would open a second server for the name localhost, which nobody looks after.
    const { address } = await lookup(host, { order: 'ipv4first' });
    this.#assertOpen();
    await app.listen({ port, host: address, backlog });
    this.#assertOpen();
    this.lifecycle.advance('ready');
    if (options.server.value.returnIdleMemory) this.#memory.start();
    const management = this.managementAddress;
    this.#logger.log({
      msg: 'listening',
      address: this.address,
      host: this.#bound.address,
      ...(management !== undefined && { management }),
      env: this.config.env,
    });
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
      host: this.#bound.address,
      management: this.managementAddress,
      docs: servedOnMain(options).docs,
      isTls,
      samples,
      token,
    });
    standardOutput().write(`${lines.join('\n')}\n`);
  }

  /** `host:port` to reach it at from this machine. */
  get address(): string {
    const { address, port, family } = this.#bound;
    const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address;
    return family === 'IPv6' && host !== 'localhost' ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** `host:port` of the management port; `undefined` where there is none, and until it listens. */
  get managementAddress(): string | undefined {
    return this.#management?.address;
  }

  /** @internal The gRPC services that have a handler, those of the framework included. */
  get grpcServices(): readonly DescService[] {
    return this.#grpc.services;
  }

  get #bound(): AddressInfo {
    return this.app.getHttpServer().address() as AddressInfo;
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
  note(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#plain.warn(fields, message);
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
        this.#memory.close();
        try {
          await this.app.close();
        } finally {
          this.#port.close();
          // The last to go: it shows the stop to operators.
          await this.#management?.close();
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
