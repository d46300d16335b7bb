import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  type Face,
  type Fault,
  faults,
  type Metric,
  MetricRegistry,
  type MetricSample,
  type RequestEnd,
  requestEndChannel,
  statusName,
} from '../core/index.js';

const faces: readonly Face[] = ['http', 'grpc'];
const statuses = 17;

// In seconds: from what a lookup takes to what callers wait for, a factor of two or two and a half between them.
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Requests of one face. */
class FaceCount {
  /** By status. */
  readonly requests = new Float64Array(statuses);
  /** Each request in the first bucket that it fits; the last is for what fits none. */
  readonly buckets = new Float64Array(bounds.length + 1);
  /** In the order of `faults`. */
  readonly faults = new Float64Array(faults.length);
  durationSeconds = 0;

  add(status: number, durationMs: number, fault: Fault | undefined): void {
    if (fault !== undefined) {
      const at = faults.indexOf(fault);
      this.faults[at] = (this.faults[at] as number) + 1;
    }
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    this.requests[status] = (this.requests[status] as number) + 1;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.durationSeconds += seconds;
  }

  requestSamples(face: Face): MetricSample[] {
    return [...this.requests].flatMap((value, status) =>
      value === 0 ? [] : [{ labels: { face, status: statusName(status) }, value }],
    );
  }

  faultSamples(face: Face): MetricSample[] {
    return faults.map((fault, at) => ({ labels: { face, fault }, value: this.faults[at] as number }));
  }

  durationSamples(face: Face): MetricSample[] {
    let count = 0;
    const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => {
      count += this.buckets[index] as number;
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      return { labels: { face, le }, value: count, suffix: '_bucket' } as const;
    });
    return [
      ...buckets,
      { labels: { face }, value: this.durationSeconds, suffix: '_sum' },
      { labels: { face }, value: count, suffix: '_count' },
    ];
  }
}

/**
 * Counts requests by face and status, and how long they took; probes are left out. The channel it hears of them by is
 * the process's: of several services in a process, each counts the requests of all.
 */
@Injectable()
export class RequestMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly #http = new FaceCount();
  readonly #grpc = new FaceCount();
  readonly #registry: MetricRegistry;
  #leave: (() => void)[] = [];

  constructor(@Inject(MetricRegistry) registry: MetricRegistry) {
    this.#registry = registry;
  }

  onModuleInit(): void {
    this.#leave = [
      requestEndChannel.subscribe((end) => this.#count(end)),
      this.#registry.register(() => this.#metrics()),
    ];
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** Leaves the channel. May be called twice. */
  close(): void {
    for (const leave of this.#leave) leave();
    this.#leave = [];
  }

  #count({ context, status, durationMs, fault }: RequestEnd): void {
    if (!context.isProbe) this.#of(context.face).add(status, durationMs, fault);
  }

  #of(face: Face): FaceCount {
    return face === 'http' ? this.#http : this.#grpc;
  }

  #metrics(): readonly Metric[] {
    return [
      {
        name: 'rookery_requests_total',
        help: 'Requests answered, refused or given up, by face and status.',
        type: 'counter',
        samples: faces.flatMap((face) => this.#of(face).requestSamples(face)),
      },
      {
        name: 'rookery_request_faults_total',
        help: 'Requests that failed, by whose fault it was: client, service, upstream, load.',
        type: 'counter',
        samples: faces.flatMap((face) => this.#of(face).faultSamples(face)),
      },
      {
        name: 'rookery_request_duration_seconds',
        help: 'Time from the headers of a request to the end of its answer.',
        type: 'histogram',
        samples: faces.flatMap((face) => this.#of(face).durationSamples(face)),
      },
    ];
  }
}
