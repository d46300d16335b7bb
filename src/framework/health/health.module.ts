import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthSource } from '../core/index.js';
import { HealthController } from './health.controller.js';
import { HealthReports } from './health-report.js';
import { HealthState } from './health-state.js';

/** Paths of the probes, without a leading slash: for `setGlobalPrefix(prefix, { exclude })`. */
export const healthPaths: readonly string[] = ['health/live', 'health/ready', 'health/startup'];

/**
 * `GET /health/live`, `/health/ready`, `/health/startup`, and the `HealthSource` that gRPC health asks. Needs global
 * providers of `Lifecycle` and `ProbeRegistry`; with one of `HEALTH_OPTIONS` the limits can be set.
 */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [HealthReports, HealthState, { provide: HealthSource, useExisting: HealthState }],
  exports: [HealthReports, HealthState, HealthSource],
})
export class HealthModule {}
