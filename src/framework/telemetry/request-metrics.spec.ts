import { afterEach, describe, expect, it } from 'vitest';
import {
  Deadline,
  type Face,
  type Fault,
  faultOf,
  MetricRegistry,
  RequestContext,
  requestEndChannel,
  Status,
} from '../core/index.js';
import { RequestMetrics } from './request-metrics.js';

let metrics: RequestMetrics;
const registry = new MetricRegistry();

afterEach(() => metrics.close());

function end(face: Face, status: number, durationMs: number, isProbe = false, fault?: Fault): void {
  const deadline = new Deadline(1000);
  const context = new RequestContext({ face, operation: 'x', peer: '', header: () => undefined, deadline, isProbe });
  deadline.close();
  const ending = { httpStatus: 200, durationMs, serviceMs: undefined, reason: undefined };
  requestEndChannel.publish({ context, status, ...ending, fault: fault ?? faultOf(status) });
}

function figures(name: string): string[] {
  const { samples = [] } = registry.collect().find((metric) => metric.name === name) ?? {};
  return samples.map(({ labels, value, suffix = '' }) => `${suffix}${Object.values(labels ?? {}).join(' ')} ${value}`);
}

function start(): void {
  metrics = new RequestMetrics(registry);
  metrics.onModuleInit();
}

describe('RequestMetrics', () => {
  it('counts requests by face and status, probes not among them', () => {
    start();

    end('http', Status.Ok, 1);
    end('http', Status.Ok, 1);
    end('http', Status.NotFound, 1);
    end('grpc', Status.Unavailable, 1);
    end('http', Status.Ok, 1, true);

    expect(figures('rookery_requests_total')).toEqual(['http OK 2', 'http NOT_FOUND 1', 'grpc UNAVAILABLE 1']);
  });

  it('counts failures by whose fault they were, each kind from the beginning', () => {
    start();

    end('http', Status.Ok, 1);
    end('http', Status.NotFound, 1);
    end('http', Status.Internal, 1);
    end('http', Status.Internal, 1, true);
    end('grpc', Status.Internal, 1, false, 'client');
    end('grpc', Status.Unavailable, 1, false, 'load');
    end('grpc', Status.Unavailable, 1, false, 'upstream');

    expect(figures('rookery_request_faults_total')).toEqual([
      'http client 1',
      'http service 1',
      'http upstream 0',
      'http load 0',
      'grpc client 1',
      'grpc service 0',
      'grpc upstream 1',
      'grpc load 1',
    ]);
  });

  it('counts durations in seconds, in buckets that hold what is smaller too', () => {
    start();

    for (const durationMs of [0.5, 1, 1.1, 400, 60_000]) end('grpc', Status.Ok, durationMs);

    const ofGrpc = figures('rookery_request_duration_seconds').filter((each) => each.includes('grpc'));
    expect(ofGrpc).toEqual([
      '_bucketgrpc 0.001 2',
      '_bucketgrpc 0.0025 3',
      '_bucketgrpc 0.005 3',
      '_bucketgrpc 0.01 3',
      '_bucketgrpc 0.025 3',
      '_bucketgrpc 0.05 3',
      '_bucketgrpc 0.1 3',
      '_bucketgrpc 0.25 3',
      '_bucketgrpc 0.5 4',
      '_bucketgrpc 1 4',
      '_bucketgrpc 2.5 4',
      '_bucketgrpc 5 4',
      '_bucketgrpc 10 4',
      '_bucketgrpc +Inf 5',
      '_sumgrpc 60.4026',
      '_countgrpc 5',
    ]);
  });

  it('leaves the channel and the registry', () => {
    start();

    metrics.close();
    metrics.close();
    end('http', Status.Ok, 1);

    expect(registry.collect()).toEqual([]);
  });
});
