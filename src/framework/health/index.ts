/**
 * Whether the process lives, is ready and has started, from one state for every face. Modules contribute by
 * `ProbeRegistry` of core, so none of them knows this one.
 *
 * @example
 * probes.register({ name: 'database', kinds: ['ready'], check: async (signal) => { await database.ping(signal); return undefined; } });
 */
export { HealthModule, healthPaths } from './health.module.js';
export { HEALTH_OPTIONS, HealthOptions } from './health.options.js';
export { type HealthReport, HealthReports } from './health-report.js';
export { HealthState } from './health-state.js';
export type { ProbeResult } from './probe-runner.js';
