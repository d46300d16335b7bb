import { Controller, Get, Header, Inject, Res, SetMetadata, VERSION_NEUTRAL } from '@nestjs/common';
import type { HealthCheckResult } from '@nestjs/terminus';
import { metadataKeys, type ProbeKind } from '../core/index.js';
import { HealthReports, type HealthStatus } from './health-report.js';

/** The part of a reply that says the status; Fastify's and Express's both have it. */
interface StatusReply {
  status(code: number): unknown;
}

/**
 * What Kubernetes and load balancers ask, as raw JSON: `status`, and for whom `health.details` admits `info` (what is up),
 * `error` (what is down), `details` (both). 200 or 503.
 */
@Controller({ path: 'health', version: VERSION_NEUTRAL })
@SetMetadata(metadataKeys.public, true)
@SetMetadata(metadataKeys.raw, true)
@SetMetadata(metadataKeys.probe, true)
export class HealthController {
  readonly #reports: HealthReports;

  constructor(@Inject(HealthReports) reports: HealthReports) {
    this.#reports = reports;
  }

  /** Whether the process is worth keeping: down only when a probe of the kind `live` is. */
  @Get('live')
  @Header('cache-control', 'no-store')
  live(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult | HealthStatus> {
    return this.#answer('live', reply);
  }

  /** Whether to send requests: the process is ready, not draining, and all probes of the kind `ready` are up. */
  @Get('ready')
  @Header('cache-control', 'no-store')
  ready(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult | HealthStatus> {
    return this.#answer('ready', reply);
  }

  /** Whether the start is over: from then on the other two count. */
  @Get('startup')
  @Header('cache-control', 'no-store')
  startup(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult | HealthStatus> {
    return this.#answer('startup', reply);
  }

  async #answer(kind: ProbeKind, reply: StatusReply): Promise<HealthCheckResult | HealthStatus> {
    const { isUp, body } = await this.#reports.report(kind);
    reply.status(isUp ? 200 : 503);
    return (await this.#reports.showsDetails()) ? body : { status: body.status };
  }
}
