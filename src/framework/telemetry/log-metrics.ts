import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit, Optional } from '@nestjs/common';
import type { DestinationStream } from 'pino';
import { type Metric, MetricRegistry } from '../core/index.js';
import { LOG_DESTINATION } from './logger.js';
import { standardOutput } from './standard-output.js';

/** The figures of the log: what waits for standard output, and what was dropped. None where the application has a destination of its own. */
@Injectable()
export class LogMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly #registry: MetricRegistry;
  readonly #isOurs: boolean;
  #unregister: (() => void) | undefined;

  constructor(
    @Inject(MetricRegistry) registry: MetricRegistry,
    @Optional() @Inject(LOG_DESTINATION) destination?: DestinationStream,
  ) {
    this.#registry = registry;
    this.#isOurs = destination === undefined;
  }

  onModuleInit(): void {
    if (this.#isOurs) this.#unregister = this.#registry.register(metrics);
  }

  onApplicationShutdown(): void {
    this.#unregister?.();
  }
}

function metrics(): readonly Metric[] {
  const { droppedLines, bufferedBytes } = standardOutput();
  return [
    {
      name: 'rookery_log_dropped_lines_total',
      help: 'Log lines dropped because standard output did not take them and log.maxBufferedBytes was used up.',
      type: 'counter',
      samples: [{ value: droppedLines }],
    },
    {
      name: 'rookery_log_buffered_bytes',
      help: 'Memory taken by log lines that wait for standard output, in bytes.',
      type: 'gauge',
      samples: [{ value: bufferedBytes }],
    },
  ];
}
