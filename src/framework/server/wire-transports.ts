import type { DescService } from '@bufbuild/protobuf';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger } from 'nestjs-pino';
import type { ConfigStore } from '../config/index.js';
import { HealthSource, type Lifecycle, MetricRegistry, OperatorAccess, project, type Shares } from '../core/index.js';
import { GrpcServer, GrpcStrategy, GrpcWeb } from '../grpc/index.js';
import { HealthReports } from '../health/index.js';
import { composeRoutes, HttpAdapter, RestRequests, registerHttpPlugins, securityHeaders } from '../http/index.js';
import { HandlerSource, type RequestGate } from '../pipeline/index.js';
import type { Samples } from './banner.js';
import type { BoundOptions } from './bound-options.js';
import { servedOnMain } from './exposed.js';
import { OnePort } from './one-port.js';
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
  /** What the log is to say of the environment. */
  readonly notices: readonly string[];
}

/** Ties the transports of a service to its application and to one port, before the application is initialised. */
export async function wireTransports(
  parts: ServiceParts,
): Promise<{ readonly grpc: GrpcServer; readonly port: OnePort }> {
  const { app, options, gate, lifecycle, shares } = parts;
  const logger = app.get(Logger);
  app.useLogger(startLogger(logger));
  for (const notice of parts.notices) logger.warn(notice);
  await registerHttpPlugins(app, options.http);
  const grpc = new GrpcServer({
    gate,
    lifecycle,
    limits: options.limits,
    options: options.grpc,
    health: app.get(HealthSource),
    domain: options.app.value.name,
    reflection: servedOnMain(options).reflection,
    access: app.get(OperatorAccess),
    showsServices: () => app.get(HealthReports).showsDetails(),
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
  return { grpc, port };
}
