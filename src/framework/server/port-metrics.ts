import type { Metric, MetricSample } from '../core/index.js';
import type { Http1Counters } from '../http1/index.js';
import type { Http2Counters } from '../http2/index.js';
import type { ConnectionStats } from './connections.js';

/** Figures of the port: connections by state, requests, HTTP/2 streams, and what clients were cut off for. */
export function portMetrics(
  stats: ConnectionStats,
  http1: Readonly<Http1Counters>,
  http2: Readonly<Http2Counters>,
  cleartextRefused: number,
): readonly Metric[] {
  const { silent, handshaking, http1: open1, http2: open2, streams, accepted, refused } = stats;
  return [
    gauge(
      'rookery_connections',
      'Connections open now, by state.',
      by('state', { silent, handshaking, http1: open1, http2: open2 }),
    ),
    counter('rookery_connections_accepted_total', 'Connections that ever came.', accepted),
    counter(
      'rookery_connections_refused_total',
      'Connections closed without service: silent, a protocol that is not served, or too many of one peer.',
      refused,
    ),
    counter(
      'rookery_connections_cleartext_refused_total',
      'Refused connections that spoke cleartext where TLS is asked for.',
      cleartextRefused,
    ),
    gauge('rookery_http2_streams', 'HTTP/2 streams open now.', [{ value: streams }]),
    ...http1Metrics(http1),
    ...streamMetrics(http2),
    ...connectionMetrics(http2),
  ];
}

function http1Metrics(http1: Readonly<Http1Counters>): Metric[] {
  const { idleTimeouts: idle, stalled, unreadBodies: unread_body } = http1;
  const refused = Object.fromEntries(
    Object.entries(http1.refused).map(([kind, count]) => [kind.replaceAll('-', '_'), count]),
  );
  return [
    counter('rookery_http1_requests_total', 'HTTP/1.1 requests begun.', http1.requests),
    counter(
      'rookery_http1_requests_refused_total',
      'HTTP/1.1 requests refused before any handler, by why.',
      by('reason', refused),
    ),
    counter(
      'rookery_http1_requests_aborted_total',
      'HTTP/1.1 requests whose caller left before the answer was out.',
      http1.aborted,
    ),
    counter('rookery_http1_answers_broken_total', 'HTTP/1.1 answers that were broken off.', http1.reset),
    counter('rookery_http1_upgrades_total', 'HTTP/1.1 connections handed to another protocol.', http1.upgrades),
    counter(
      'rookery_http1_connections_retired_total',
      'HTTP/1.1 connections closed because nothing was asked on them.',
      by('reason', { idle }),
    ),
    counter(
      'rookery_http1_connections_cut_total',
      'HTTP/1.1 connections cut off, by what for.',
      by('reason', { stalled, unread_body }),
    ),
  ];
}

function streamMetrics(http2: Readonly<Http2Counters>): Metric[] {
  const { streamsResetByPeer: client, streamsResetByUs: server } = http2;
  return [
    counter('rookery_http2_streams_opened_total', 'HTTP/2 streams opened.', http2.streamsOpened),
    counter(
      'rookery_http2_streams_refused_total',
      'HTTP/2 streams beyond the limit of their connection.',
      http2.streamsRefused,
    ),
    counter('rookery_http2_streams_reset_total', 'HTTP/2 streams reset, by whom.', by('by', { client, server })),
    counter(
      'rookery_http2_streams_over_budget_total',
      'HTTP/2 streams reset because no memory was left for what they had sent.',
      http2.streamsOverBudget,
    ),
    counter(
      'rookery_http2_streams_stalled_total',
      'HTTP/2 streams given up because the client took nothing.',
      http2.streamsStalled,
    ),
    counter(
      'rookery_http2_requests_malformed_total',
      'HTTP/2 requests that break the protocol.',
      http2.requestsMalformed,
    ),
    counter(
      'rookery_http2_header_lists_too_large_total',
      'HTTP/2 requests with too many header fields.',
      http2.headerListsTooLarge,
    ),
    counter(
      'rookery_http2_answer_fields_too_large_total',
      'HTTP/2 answers broken off because their header or trailer fields are more than the client reads.',
      http2.answerFieldsTooLarge,
    ),
  ];
}

function connectionMetrics(http2: Readonly<Http2Counters>): Metric[] {
  const { settings, pings: ping, windowUpdates: window_update, priorities: priority } = http2;
  const { emptyData: empty_data, paddings: padding, unknownFrames: unknown } = http2;
  const { idleTimeouts: idle, agedOut: age } = http2;
  const cut = Object.fromEntries(Object.entries(http2.cut).map(([reason, count]) => [snakeCase(reason), count]));
  return [
    counter(
      'rookery_http2_frames_total',
      'HTTP/2 frames received that cost more than they bring, by type.',
      by('type', { settings, ping, window_update, priority, empty_data, padding, unknown }),
    ),
    counter(
      'rookery_http2_connections_retired_total',
      'HTTP/2 connections closed gracefully by the service, by why.',
      by('reason', { idle, age }),
    ),
    counter(
      'rookery_http2_connections_cut_total',
      'HTTP/2 connections cut off for asking too much or being too slow, by what for.',
      by('reason', cut),
    ),
    counter(
      'rookery_http2_connection_errors_total',
      'HTTP/2 connections ended by an error of the client, all kinds.',
      http2.connectionErrors,
    ),
  ];
}

function counter(name: string, help: string, value: number | readonly MetricSample[]): Metric {
  return { name, help, type: 'counter', samples: typeof value === 'number' ? [{ value }] : value };
}

function gauge(name: string, help: string, samples: readonly MetricSample[]): Metric {
  return { name, help, type: 'gauge', samples };
}

function by(label: string, values: Readonly<Record<string, number>>): MetricSample[] {
  return Object.entries(values).map(([text, value]) => ({ labels: { [label]: text }, value }));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
