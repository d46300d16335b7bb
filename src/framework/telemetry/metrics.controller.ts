import { Controller, Get, Header, Inject, SetMetadata, VERSION_NEUTRAL } from '@nestjs/common';
import { metadataKeys, MetricRegistry } from '../core/index.js';
import { prometheusText, prometheusTextType } from './prometheus-text.js';

/** What Prometheus asks for. Open to everybody who reaches the port, like the probes; nobody's names are in it. */
@Controller({ path: 'metrics', version: VERSION_NEUTRAL })
@SetMetadata(metadataKeys.public, true)
@SetMetadata(metadataKeys.raw, true)
@SetMetadata(metadataKeys.probe, true)
export class MetricsController {
  readonly #registry: MetricRegistry;

  constructor(@Inject(MetricRegistry) registry: MetricRegistry) {
    this.#registry = registry;
  }

  /** All figures of the process, in the text format of Prometheus. */
  @Get()
  @Header('cache-control', 'no-store')
  @Header('content-type', prometheusTextType)
  metrics(): string {
    return prometheusText(this.#registry.collect());
  }
}
