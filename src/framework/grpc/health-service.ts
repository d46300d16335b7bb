import { CancelledError, DrainingError, type HealthSource, RookeryError, Status } from '../core/index.js';
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../gen/grpc/health/v1/health_pb.js';
import type { MethodTable } from './method-table.js';
import type { ServerCall } from './server-call.js';

/** Calls a listener when the server closes; returns the way to take it back. */
type OnClose = (listener: () => void) => () => void;

/** Health was asked about a service that is not served here. */
export class UnknownServiceError extends RookeryError {
  static override readonly reason = 'HEALTH_UNKNOWN_SERVICE';
  static override readonly status = Status.NotFound;

  constructor() {
    super('unknown service');
  }
}

/** How health is served. */
export interface HealthServing {
  readonly onClose: OnClose;
  /** Whether the caller of the current call may see which services there are; else `List` has the process as a whole only. */
  readonly showsServices: () => boolean | Promise<boolean>;
}

/**
 * Serves `grpc.health.v1` from `source`.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/health-checking.md
 */
export function bindHealth(
  methods: MethodTable<ServerCall>,
  source: HealthSource,
  { onClose, showsServices }: HealthServing,
): void {
  const options = { isProbe: true, unknownFields: 'skipped' } as const;
  methods.bind(Health.method.check, (call) => check(source, serviceOf(call)), options);
  methods.bind(Health.method.list, async () => list(source, await showsServices()), options);
  methods.bind(Health.method.watch, (call) => watch(source, call, onClose), options);
}

function serviceOf(call: ServerCall): string {
  return (call.handle.request as HealthCheckRequest).service;
}

function statusOf(source: HealthSource, service: string): ServingStatus {
  const status = source.status(service);
  return status === undefined ? ServingStatus.SERVICE_UNKNOWN : ServingStatus[status];
}

function check(source: HealthSource, service: string): { status: ServingStatus } {
  const status = statusOf(source, service);
  if (status === ServingStatus.SERVICE_UNKNOWN) throw new UnknownServiceError();
  return { status };
}

function list(source: HealthSource, isWhole: boolean): { statuses: Record<string, { status: ServingStatus }> } {
  const services = isWhole ? source.services() : [''];
  return {
    statuses: Object.fromEntries(services.map((service) => [service, { status: statusOf(source, service) }])),
  };
}

async function* watch(
  source: HealthSource,
  call: ServerCall,
  onClose: OnClose,
): AsyncGenerator<{ status: ServingStatus }> {
  const { deadline } = call.context;
  // A watch lasts as long as the caller wants.
  deadline.adjust(Number.POSITIVE_INFINITY);
  const service = serviceOf(call);
  let wake = Promise.withResolvers<void>();
  let isClosing = false;
  const stops = [
    source.onChange(() => wake.resolve()),
    // A generator that waits does not notice that it is returned: it has to be woken.
    deadline.onFire(() => wake.resolve()),
    onClose(() => {
      isClosing = true;
      wake.resolve();
    }),
  ];
  try {
    for (let last: ServingStatus | undefined; ; ) {
      wake = Promise.withResolvers<void>();
      const status = statusOf(source, service);
      if (status !== last) yield { status };
      last = status;
      if (deadline.reason !== undefined) throw new CancelledError();
      if (isClosing) throw new DrainingError();
      await wake.promise;
    }
  } finally {
    for (const stop of stops) stop();
  }
}
