import { boundNames, type FullBy, type Metric, type MetricSample, type Shares } from '../core/index.js';

const scopes: readonly FullBy[] = ['process', 'peer', 'connection'];

/** Figures of what is counted by peer and by connection: in use, limits, the most that one peer has, refusals. */
export function shareMetrics(shares: Shares): readonly Metric[] {
  const { inUse, limits, peerCount, refused } = shares;
  return [
    {
      name: 'rookery_server_in_use',
      help: 'What is in use now, by bound.',
      type: 'gauge',
      samples: byBound(inUse),
    },
    {
      name: 'rookery_server_limit',
      help: 'The limit of all peers together, by bound.',
      type: 'gauge',
      samples: byBound(limits),
    },
    {
      name: 'rookery_server_largest_peer_in_use',
      help: 'What the peer has in use now that has most of it, by bound.',
      type: 'gauge',
      samples: byBound(largest(shares)),
    },
    {
      name: 'rookery_server_refused_total',
      help: 'Requests and connections refused, by bound and by whose share of it was full.',
      type: 'counter',
      samples: scopes.flatMap((scope) =>
        byBound(refused[scope]).map(({ labels, value }) => ({ labels: { ...labels, scope }, value })),
      ),
    },
    { name: 'rookery_server_peers', help: 'Peers connected now.', type: 'gauge', samples: [{ value: peerCount }] },
  ];
}

function byBound(values: readonly number[]): MetricSample[] {
  return boundNames.map((bound, at) => ({ labels: { bound }, value: values[at] ?? 0 }));
}

function largest({ peers }: Shares): number[] {
  const most = boundNames.map(() => 0);
  for (const { inUse } of peers) inUse.forEach((value, at) => (most[at] = Math.max(most[at] ?? 0, value)));
  return most;
}
