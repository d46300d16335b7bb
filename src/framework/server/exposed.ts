import type { Exposure } from '../core/index.js';
import type { BoundOptions } from './bound-options.js';

/** What a process serves about itself, besides the probes. */
export interface Exposed {
  readonly docs: Exposure;
  readonly metrics: Exposure;
  readonly reflection: Exposure;
}

/** Who gets it on the main port: nobody where there is a management port, which serves it then. */
export function servedOnMain({ grpc, http, management, telemetry }: BoundOptions): Exposed {
  if (management.value.port !== undefined) return { docs: 'off', metrics: 'off', reflection: 'off' };
  return { docs: http.value.docs, metrics: telemetry.value.metrics, reflection: grpc.value.reflection };
}
