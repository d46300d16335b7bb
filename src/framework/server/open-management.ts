import { Logger } from 'nestjs-pino';
import { HealthSource, MetricRegistry } from '../core/index.js';
import type { GrpcServer } from '../grpc/index.js';
import { HealthReports } from '../health/index.js';
import { makeApiDocs } from '../http/index.js';
import { ManagementPort } from './management-port.js';
import { StartError } from './start-error.js';
import type { ServiceParts } from './wire-transports.js';

/**
 * Opens the management port, if there is to be one: before the main port, so that probes and operators see the start, and
 * after everything that can be described exists.
 *
 * @param isStopping whether a stop of the service closes the port; otherwise the application does
 * @throws StartError `management.port` is taken, or is `server.port` as well
 */
export async function openManagement(
  { app, options, lifecycle }: ServiceParts,
  grpc: GrpcServer,
  isStopping: () => boolean,
): Promise<ManagementPort | undefined> {
  const { port } = options.management.value;
  if (port === undefined) return undefined;
  if (port !== 0 && port === options.server.value.port)
    throw new StartError(`management.port: ${port} is server.port as well (expected: a port of its own, or none)`);
  const logger = app.get(Logger);
  const { name: title, version } = options.app.value;
  const management = new ManagementPort({
    options: { ...options.management.value, port },
    domain: title,
    lifecycle,
    health: app.get(HealthSource),
    reports: app.get(HealthReports),
    metrics: options.telemetry.value.metrics === 'off' ? undefined : app.get(MetricRegistry),
    docs: options.http.value.docs === 'off' ? undefined : await makeApiDocs(app, { title, version }),
    grpc: options.grpc,
    services: () => grpc.services,
    log: (message, fields) => logger.log({ ...fields, msg: message }),
  });
  await management.listen();
  // An application that is closed without its service has no later moment for it.
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onClose', async () => {
      if (!isStopping()) await management.close();
    });
  if (management.isExposed) {
    logger.warn(
      `management.host: ${management.address} is reachable from other machines; health, metrics and the API description need no token there`,
    );
  }
  return management;
}
