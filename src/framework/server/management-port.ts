import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lookup } from 'node:dns/promises';
import type { DescService } from '@bufbuild/protobuf';
import { constant, type HealthSource, type Lifecycle, type Live, type MetricRegistry, Shares } from '../core/index.js';
import { type GrpcOptions, GrpcServer } from '../grpc/index.js';
import type { HealthReports } from '../health/index.js';
import type { ApiDocs } from '../http/index.js';
import { LimitOptions, RequestGate, shareLimitsOf } from '../pipeline/index.js';
import { prometheusText, prometheusTextType } from '../telemetry/index.js';
import { isLoopback } from './loopback.js';
import type { ManagementOptions } from './management.options.js';
import { type ManagementRoute, ManagementRequests } from './management-requests.js';
import { OnePort } from './one-port.js';
import { ServerOptions } from './server.options.js';
import { StartError } from './start-error.js';

/** What the management port serves, and from what. */
export interface ManagementPortInit {
  readonly options: ManagementOptions & { readonly port: number };
  /** Names the address in responses to gRPC failures, as on the main port. */
  readonly domain: string;
  readonly lifecycle: Lifecycle;
  readonly health: HealthSource;
  readonly reports: HealthReports;
  /** `undefined` where `telemetry.metrics` is off. */
  readonly metrics: MetricRegistry | undefined;
  /** `undefined` where `http.docs` is off. */
  readonly docs: ApiDocs | undefined;
  readonly grpc: Live<GrpcOptions>;
  /** The services of the main port, for reflection. */
  readonly services: () => readonly DescService[];
  readonly log: (message: string, fields: object) => void;
}

// Requests here are small and come from few clients: a slow or large one is a mistake. On loopback all clients have one
// address, so no client has a share.
const limits: Partial<LimitOptions> = {
  maxBodyBytes: 65_536,
  maxHeaderBytes: 8192,
  firstByteTimeoutMs: 5000,
  headersTimeoutMs: 5000,
  bodyTimeoutMs: 5000,
  peerShare: 1,
  connectionShare: 1,
};
// A response that is on its way when everything else has ended.
const closeTimeMs = 500;

/**
 * The port of operators: health, metrics and the description of the API without a token, by HTTP/1.1, HTTP/2 and gRPC,
 * beside the main port and apart from the application. It responds from the end of the start to the end of the drain.
 */
export class ManagementPort {
  readonly #init: ManagementPortInit;
  readonly #server: Server = createServer();
  readonly #port: OnePort;
  #closing: Promise<void> | undefined;

  constructor(init: ManagementPortInit) {
    this.#init = init;
    const { options, lifecycle, health, grpc, domain, services, log } = init;
    const ownLimits = constant(Object.assign(new LimitOptions(), limits));
    // Of its own, with the gate: operators get through while the main port is full, and take nothing of its bounds.
    const shares = new Shares(shareLimitsOf(ownLimits.value, options.maxConnections));
    this.#port = new OnePort({
      server: this.#server,
      options: constant(
        Object.assign(new ServerOptions(), {
          maxConnections: options.maxConnections,
          idleLingerMs: 0,
          graceMs: closeTimeMs,
        }),
      ),
      limits: ownLimits,
      shares,
      grpc: new GrpcServer({
        gate: new RequestGate(lifecycle, ownLimits, shares),
        lifecycle,
        limits: ownLimits,
        options: grpc,
        health,
        domain,
        reflection: grpc.value.reflection === 'off' ? 'off' : 'open',
        described: services,
      }),
      http: new ManagementRequests({ routes: routesOf(init), isLoopback: isLoopback(options.host), log }),
      log,
    });
  }

  /** `host:port`; once it listens. */
  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Whether callers of other machines reach it. */
  get isExposed(): boolean {
    return !isLoopback(this.#init.options.host);
  }

  /** @throws StartError the address is in use, not allowed, or none */
  async listen(): Promise<void> {
    const { host, port } = this.#init.options;
    this.#port.attach();
    try {
      const { address } = await lookup(host, { order: 'ipv4first' });
      this.#server.listen(port, address);
      await once(this.#server, 'listening');
    } catch (error) {
      throw new StartError(`management.port: ${failureOf(error as NodeJS.ErrnoException, host, port)}`, {
        cause: error,
      });
    }
  }

  /** Lets what runs finish, for a moment. May be called twice, and before it listens. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#server.listening) await this.#port.drain(closeTimeMs);
    this.#port.close();
  }
}

function routesOf({ reports, metrics, docs }: ManagementPortInit): ReadonlyMap<string, ManagementRoute> {
  const routes = new Map<string, ManagementRoute>();
  for (const kind of ['live', 'ready', 'startup'] as const) {
    routes.set(`/health/${kind}`, async () => {
      const { isUp, body } = await reports.report(kind);
      return uncached(isUp ? 200 : 503, 'application/json; charset=utf-8', JSON.stringify(body));
    });
  }
  if (metrics !== undefined) {
    routes.set('/metrics', () => uncached(200, prometheusTextType, prometheusText(metrics.collect())));
  }
  for (const [path, answer] of docs ?? []) {
    routes.set(path, async ({ headers }) =>
      (await answer()).answerTo(headers.get('if-none-match'), headers.get('accept-encoding')),
    );
  }
  return routes;
}

function uncached(status: number, type: string, text: string): ReturnType<ManagementRoute> {
  return { status, headers: { 'content-type': type, 'cache-control': 'no-store' }, body: Buffer.from(text) };
}

function failureOf({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === 'EADDRINUSE') return `cannot listen on ${host}:${port}: the address is in use`;
  if (code === 'EACCES') return `cannot listen on ${host}:${port}: permission denied`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `${message}: no such host to listen on (management.host)`;
  return `cannot listen on ${host}:${port}: ${message}`;
}
