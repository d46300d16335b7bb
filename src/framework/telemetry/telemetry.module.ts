import { type DynamicModule, Global, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { DestinationStream, Logger } from 'pino';
import type { Live } from '../core/index.js';
import { LOG_OPTIONS, type LogOptions } from './log.options.js';
import { createLogger, LOG_DESTINATION, LOGGER } from './logger.js';
import { LogMetrics } from './log-metrics.js';
import { MetricsController, MetricsGuard } from './metrics.controller.js';
import { RequestLog } from './request-log.js';
import { RequestMetrics } from './request-metrics.js';

@Global()
@Module({
  providers: [
    {
      provide: LOGGER,
      useFactory: (options: Live<LogOptions>, output?: DestinationStream) => createLogger(options, output),
      inject: [LOG_OPTIONS, { token: LOG_DESTINATION, optional: true }],
    },
  ],
  exports: [LOGGER],
})
class RootLoggerModule {}

/**
 * The log: nestjs-pino's `Logger` and `PinoLogger` for everybody, and a line per request. The figures: requests by face and
 * status, and `GET /metrics` where `withMetricsRoute()` is imported. Needs global providers of `LOG_OPTIONS` and
 * `MetricRegistry`.
 *
 * nestjs-pino keeps one root logger per process: in a process with several services, `PinoLogger` writes where the first
 * one does. Its middleware is not mounted, since it would do per HTTP request what the request context does on every face.
 */
@Module({
  imports: [
    RootLoggerModule,
    LoggerModule.forRootAsync({
      inject: [LOGGER],
      useFactory: (logger: Logger) => ({
        pinoHttp: { logger, autoLogging: false, wrapSerializers: false },
        forRoutes: [],
      }),
    }),
  ],
  providers: [LogMetrics, RequestLog, RequestMetrics],
})
export class TelemetryModule {
  /** The module with `GET /metrics`, for whom `TELEMETRY_OPTIONS` and `OperatorAccess` admit. */
  static withMetricsRoute(): DynamicModule {
    return { module: TelemetryModule, controllers: [MetricsController], providers: [MetricsGuard] };
  }
}
