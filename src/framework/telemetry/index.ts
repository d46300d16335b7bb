/**
 * What an operator sees of a running service. It subscribes to the diagnostics channels of all other modules, which know
 * nothing of it.
 *
 * @example
 * constructor(private readonly logger: PinoLogger) {} // of nestjs-pino; lines carry requestId and traceId on both faces
 */
export { LOG_OPTIONS, type LogLevel, logLevels, LogOptions } from './log.options.js';
export { createLogger, LOG_DESTINATION, LOGGER } from './logger.js';
export { serializeError } from './serialize-error.js';
export { type StandardOutput, standardOutput, writeStandardError } from './standard-output.js';
export { RequestMetrics } from './request-metrics.js';
export { RequestLog } from './request-log.js';
export { prometheusText, prometheusTextType } from './prometheus-text.js';
export { TelemetryModule } from './telemetry.module.js';
export { TELEMETRY_OPTIONS, TelemetryOptions } from './telemetry.options.js';
