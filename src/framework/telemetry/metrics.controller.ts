import {
  type CanActivate,
  Controller,
  Get,
  Header,
  Inject,
  Injectable,
  Optional,
  SetMetadata,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { constant, type Live, metadataKeys, MetricRegistry, OperatorAccess } from '../core/index.js';
import { prometheusText, prometheusTextType } from './prometheus-text.js';
import { TELEMETRY_OPTIONS, TelemetryOptions } from './telemetry.options.js';

/** Admits everybody to open metrics, else a caller whose token has the scope `metrics:read`. */
@Injectable()
export class MetricsGuard implements CanActivate {
  readonly #options: Live<TelemetryOptions>;
  readonly #access: OperatorAccess | undefined;

  constructor(
    @Optional() @Inject(TELEMETRY_OPTIONS) options: Live<TelemetryOptions> = constant(new TelemetryOptions()),
    @Optional() @Inject(OperatorAccess) access?: OperatorAccess,
  ) {
    this.#options = options;
    this.#access = access;
  }

  canActivate(): boolean | Promise<boolean> {
    if (this.#options.value.metrics === 'open') return true;
    return this.#access?.admitOperator('metrics:read') ?? false;
  }
}

/**
 * What Prometheus asks for. It is served while draining and over the concurrency limit, as the probes are, but only to
 * whom `telemetry.metrics` admits; the guards of the application have no part in it.
 */
@Controller({ path: 'metrics', version: VERSION_NEUTRAL })
@UseGuards(MetricsGuard)
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
