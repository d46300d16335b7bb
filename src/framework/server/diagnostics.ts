import { getHeapStatistics } from 'node:v8';
import type { ConfigStore } from '../config/index.js';
import type { Lifecycle } from '../core/index.js';
import { standardOutput } from '../telemetry/index.js';
import type { ConnectionStats } from './connections.js';

/** What the report of a running process is made from. */
export interface DiagnosticsInit {
  readonly lifecycle: Lifecycle;
  readonly store: ConfigStore;
  readonly connections: ConnectionStats;
}

/** The fields of the line that SIGUSR2 asks for: what the process is at, and what it holds. Names and figures only. */
export function diagnosticsOf({ lifecycle, store, connections }: DiagnosticsInit): Record<string, unknown> {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { droppedLines, bufferedBytes } = standardOutput();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return {
    phase: lifecycle.phase,
    uptimeSeconds: Math.round(process.uptime()),
    inFlight: lifecycle.inFlight,
    connections,
    memory: {
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      externalBytes: external,
    },
    eventLoopUtilization: Math.round(performance.eventLoopUtilization().utilization * 1000) / 1000,
    resources,
    configVersion: store.version,
    log: { droppedLines, bufferedBytes },
  };
}
