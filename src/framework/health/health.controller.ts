import { Controller, Get, Header, Inject, Res, SetMetadata, VERSION_NEUTRAL } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService, type HealthIndicatorResult } from '@nestjs/terminus';
import { metadataKeys } from '../core/index.js';
import { HealthState } from './health-state.js';
import type { ProbeResult } from './probe-runner.js';

/** The part of a reply that says the status; Fastify's and Express's both have it. */
interface StatusReply {
  status(code: number): unknown;
}

/**
 * What Kubernetes and load balancers ask, as raw JSON: `status`, `info` (what is up), `error` (what is down), `details`
 * (both). 200 or 503.
 */
@Controller({ path: 'health', version: VERSION_NEUTRAL })
@SetMetadata(metadataKeys.public, true)
@SetMetadata(metadataKeys.raw, true)
@SetMetadata(metadataKeys.probe, true)
export class HealthController {
  readonly #state: HealthState;
  readonly #terminus: HealthCheckService;

  constructor(@Inject(HealthState) state: HealthState, @Inject(HealthCheckService) terminus: HealthCheckService) {
    this.#state = state;
    this.#terminus = terminus;
  }

  /** Whether the process is worth keeping: down only when a probe of the kind `live` is. */
  @Get('live')
  @Header('cache-control', 'no-store')
  async live(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult> {
    return this.#answer(await this.#state.check('live'), reply);
  }

  /** Whether to send requests: the process is ready, not draining, and all probes of the kind `ready` are up. */
  @Get('ready')
  @Header('cache-control', 'no-store')
  async ready(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult> {
    const results = await this.#state.check('ready');
    return this.#answer([this.#phase(this.#state.phase === 'ready'), ...results], reply);
  }

  /** Whether the start is over: from then on the other two count. */
  @Get('startup')
  @Header('cache-control', 'no-store')
  async startup(@Res({ passthrough: true }) reply: StatusReply): Promise<HealthCheckResult> {
    const isOver = this.#state.phase !== 'starting';
    return this.#answer([this.#phase(isOver), ...(isOver ? [] : await this.#state.check('startup'))], reply);
  }

  #phase(isUp: boolean): ProbeResult {
    return { name: 'lifecycle', isUp, details: { phase: this.#state.phase } };
  }

  async #answer(results: readonly ProbeResult[], reply: StatusReply): Promise<HealthCheckResult> {
    const isUp = results.every((result) => result.isUp);
    reply.status(isUp ? 200 : 503);
    try {
      return await this.#terminus.check(results.map((result) => () => indicatorOf(result)));
    } catch (error) {
      // Terminus throws what is down, and anything at all once the application closes; error pages are not for probes.
      const answer = (error as { getResponse?: () => unknown }).getResponse?.();
      if (answer === undefined) throw error;
      return { ...(answer as HealthCheckResult), status: isUp ? 'ok' : 'error' };
    }
  }
}

function indicatorOf({ name, isUp, details }: ProbeResult): HealthIndicatorResult {
  return { [name]: { ...details, status: isUp ? 'up' : 'down' } };
}
