import type { Metric, MetricSample } from '../core/index.js';

/** The content type of `prometheusText()`. */
export const prometheusTextType = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Writes figures as Prometheus reads them.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/ the text format, version 0.0.4
 */
export function prometheusText(metrics: readonly Metric[]): string {
  return metrics.map(familyText).join('');
}

function familyText({ name, help, type, samples }: Metric): string {
  const lines = samples.map((sample) => sampleText(name, sample));
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function sampleText(name: string, { labels = {}, value, suffix }: MetricSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`);
  return `${name}${suffix ?? ''}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
