import { Inject, Injectable, Optional } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService, type HealthIndicatorResult } from '@nestjs/terminus';
import { constant, currentContext, type Live, OperatorAccess, type ProbeKind } from '../core/index.js';
import { HEALTH_OPTIONS, HealthOptions } from './health.options.js';
import { HealthState } from './health-state.js';
import type { ProbeResult } from './probe-runner.js';

/** The status alone: all that a load balancer needs. */
export type HealthStatus = Pick<HealthCheckResult, 'status'>;

/** What the checks of one kind say. */
export interface HealthReport {
  readonly isUp: boolean;
  /** `status`, `info` (what is up), `error` (what is down), `details` (both). */
  readonly body: HealthCheckResult;
}

/** Writes what `/health/*` responds with, on either port. */
@Injectable()
export class HealthReports {
  readonly #state: HealthState;
  readonly #terminus: HealthCheckService;
  readonly #options: Live<HealthOptions>;
  readonly #access: OperatorAccess | undefined;

  constructor(
    @Inject(HealthState) state: HealthState,
    @Inject(HealthCheckService) terminus: HealthCheckService,
    @Optional() @Inject(HEALTH_OPTIONS) options: Live<HealthOptions> = constant(new HealthOptions()),
    @Optional() @Inject(OperatorAccess) access?: OperatorAccess,
  ) {
    this.#state = state;
    this.#terminus = terminus;
    this.#options = options;
    this.#access = access;
  }

  /** The report of one kind, with all details. */
  async report(kind: ProbeKind): Promise<HealthReport> {
    const results = await this.#results(kind);
    const isUp = results.every((result) => result.isUp);
    try {
      return { isUp, body: await this.#terminus.check(results.map((result) => () => indicatorOf(result))) };
    } catch (error) {
      // Terminus throws what is down, and anything at all once the application closes; error pages are not for probes.
      const answer = (error as { getResponse?: () => unknown }).getResponse?.();
      if (answer === undefined) throw error;
      return { isUp, body: { ...(answer as HealthCheckResult), status: isUp ? 'ok' : 'error' } };
    }
  }

  /**
   * Whether the caller of the current request may see names and details. A token that is not good enough is no error: a
   * probe must not fail because of it.
   */
  async showsDetails(): Promise<boolean> {
    const { details } = this.#options.value;
    if (details !== 'token') return details === 'open';
    if (this.#access === undefined || currentContext()?.header('authorization') === undefined) return false;
    try {
      return await this.#access.admitOperator('metrics:read');
    } catch {
      return false;
    }
  }

  async #results(kind: ProbeKind): Promise<readonly ProbeResult[]> {
    switch (kind) {
      case 'live':
        return this.#state.check('live');
      case 'ready': {
        const results = await this.#state.check('ready');
        return [this.#phase(this.#state.phase === 'ready'), ...results];
      }
      default: {
        const isOver = this.#state.phase !== 'starting';
        return [this.#phase(isOver), ...(isOver ? [] : await this.#state.check('startup'))];
      }
    }
  }

  #phase(isUp: boolean): ProbeResult {
    return { name: 'lifecycle', isUp, details: { phase: this.#state.phase } };
  }
}

function indicatorOf({ name, isUp, details }: ProbeResult): HealthIndicatorResult {
  return { [name]: { ...details, status: isUp ? 'up' : 'down' } };
}
