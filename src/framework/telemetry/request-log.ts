import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import {
  type Fault,
  type Live,
  type ProbeChange,
  probeChangeChannel,
  type RequestEnd,
  requestEndChannel,
  type RequestFault,
  requestFaultChannel,
  statusName,
} from '../core/index.js';
import { LOG_OPTIONS, type LogOptions } from './log.options.js';
import { LOGGER } from './logger.js';
import { serializeError } from './serialize-error.js';

/**
 * Writes what the channels of the other modules tell: one line per request on every face, every fault of the service
 * itself with its causes and stacks, every probe that changes. Faces may run several services in one process; the
 * channels are the process's, so there is one of these per process.
 */
@Injectable()
export class RequestLog implements OnModuleInit, OnApplicationShutdown {
  readonly #logger: Logger;
  readonly #options: Live<LogOptions>;
  #subscriptions: (() => void)[] = [];
  #leaveRequests: (() => void) | undefined;

  constructor(@Inject(LOGGER) logger: Logger, @Inject(LOG_OPTIONS) options: Live<LogOptions>) {
    this.#logger = logger;
    this.#options = options;
  }

  onModuleInit(): void {
    this.#subscriptions = [
      requestFaultChannel.subscribe((fault) => this.#fault(fault)),
      probeChangeChannel.subscribe((change) => this.#probe(change)),
      this.#options.subscribe(() => this.#follow()),
    ];
    this.#follow();
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** Leaves the channels. May be called twice. */
  close(): void {
    for (const leave of this.#subscriptions) leave();
    this.#subscriptions = [];
    this.#leaveRequests?.();
    this.#leaveRequests = undefined;
  }

  // Without a subscriber the faces do not even make the message.
  #follow(): void {
    if (this.#options.value.access) {
      this.#leaveRequests ??= requestEndChannel.subscribe((end) => this.#request(end));
    } else {
      this.#leaveRequests?.();
      this.#leaveRequests = undefined;
    }
  }

  #request({ context, status, httpStatus, durationMs, reason, fault }: RequestEnd): void {
    if (context.isProbe) return;
    const level = levelOf(fault);
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level](
      {
        requestId: context.requestId,
        traceId: context.trace.traceId,
        face: context.face,
        operation: context.operation,
        status: statusName(status),
        httpStatus,
        durationMs: Math.round(durationMs * 1000) / 1000,
        peer: context.peer,
        subject: short(context.principal?.subject),
        tenant: short(context.tenant),
        reason,
        fault,
      },
      'request',
    );
  }

  #fault({ context, error, fault, upstream }: RequestFault): void {
    const fields =
      context === undefined
        ? {}
        : {
            requestId: context.requestId,
            traceId: context.trace.traceId,
            face: context.face,
            operation: context.operation,
          };
    const level = levelOf(fault);
    if (!this.#logger.isLevelEnabled(level)) return;
    this.#logger[level]({ ...fields, fault, upstream, err: serializeError(error) }, 'request failed');
  }

  #probe({ name, isUp, error }: ProbeChange): void {
    if (isUp) this.#logger.info({ probe: name }, 'probe is up');
    else this.#logger.warn({ probe: name, err: serializeError(error) }, 'probe is down');
  }
}

// A caller chooses them, and says them with each request.
const longestChosen = 200;

function short(text: string | undefined): string | undefined {
  return text === undefined || text.length <= longestChosen ? text : `${text.slice(0, longestChosen)}…`;
}

// An error is what has to be repaired here: neither a client nor another service can write one into this log.
function levelOf(fault: Fault | undefined): 'info' | 'warn' | 'error' {
  if (fault === undefined) return 'info';
  return fault === 'service' ? 'error' : 'warn';
}
