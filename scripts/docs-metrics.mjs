// docs/metrics.md: every figure of `/metrics`, from the registry of a service that runs for the moment.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { load, table } from './docs-declarations.mjs';

/** @typedef {import('../src/framework/core/index.js').Metric} Metric */

const HEAD = ['metric', 'type', 'labels', 'meaning'];

// Labels whose values depend on what the service is asked or how it is set, and `le`, which every histogram has.
/** @type {Record<string, string>} */
const OPEN_LABELS = {
  face: '`http`, `grpc`',
  status: 'name of the gRPC status, on REST too',
  centre: 'name of the config server, `nacos`',
};
// A request is counted at its end, which may be a moment after its response has arrived.
const COUNTED_WITHIN_MS = 5000;
const BUCKET_LABEL = 'le';

/**
 * @param {string} build folder of the compiled code
 * @returns {Promise<{ page: string, problems: string[] }>}
 */
export async function metricsPage(build) {
  const metrics = (await collect(build)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const problems = metrics.flatMap(({ name, help, samples }) => [
    ...(help === '' ? [`${name} has no help: its meaning is missing`] : []),
    ...(samples.length === 0 ? [`${name} has no sample, which would show its labels`] : []),
  ]);
  return { page: pageOf(table(HEAD, metrics.map(rowOf))), problems };
}

/**
 * @param {string} build
 * @returns {Promise<readonly Metric[]>}
 */
async function collect(build) {
  const { Module } = await import('@nestjs/common');
  const { startTestService } = /** @type {any} */ (await load(`${build}/framework/testing/index`));
  const { MetricRegistry } = /** @type {any} */ (await load(`${build}/framework/core/index`));
  class EmptyModule {}
  Module({})(EmptyModule);
  const configDirectory = mkdtempSync(join(tmpdir(), 'rookery-metrics-'));
  // With a config server, which need not answer: its figures are there all the same.
  const set = {
    'nacos.address': '127.0.0.1:1',
    'nacos.required': false,
    'nacos.startTimeoutMs': 100,
    'nacos.snapshot.enabled': false,
  };
  const test = await startTestService(EmptyModule, { configDirectory, set });
  try {
    // Statuses are there once a request has had them.
    await fetch(`${test.url}/nothing`);
    const registry = test.service.app.get(MetricRegistry);
    const untilMs = performance.now() + COUNTED_WITHIN_MS;
    /** @returns {readonly Metric[]} */
    const read = () => registry.collect();
    while (read().some(({ samples }) => samples.length === 0) && performance.now() < untilMs) await delay(10);
    return read();
  } finally {
    await test.close();
    rmSync(configDirectory, { recursive: true });
  }
}

/** @param {Metric} metric */
function rowOf({ name, type, help, samples }) {
  const names = [...new Set(samples.flatMap(({ labels = {} }) => Object.keys(labels)))];
  const labels = names.filter((label) => label !== BUCKET_LABEL).map((label) => labelText(label, samples));
  return [`\`${name}\``, type, labels.join('; '), help];
}

/** @param {string} label @param {Metric['samples']} samples */
function labelText(label, samples) {
  const values = [...new Set(samples.flatMap(({ labels = {} }) => labels[label] ?? []))];
  return `\`${label}\`: ${OPEN_LABELS[label] ?? values.map((value) => `\`${value}\``).join(', ')}`;
}

/** @param {string} rows */
function pageOf(rows) {
  return `<!-- Generated from the registry of a running service by scripts/generate-docs.mjs. Do not edit. -->

# Metrics

What \`GET /metrics\` has, in the text format of Prometheus; who may read it is in [operations.md](operations.md). A counter begins at 0
with the process and only grows. A histogram has \`_bucket\` (label \`le\`, the upper bound), \`_sum\` and \`_count\` behind its name.

- \`rookery_config_centre_up\` and \`rookery_config_snapshot_*\` are there with a config server only (\`nacos.address\`).
- \`rookery_log_*\` are there unless the application gives the log a destination of its own.
- Of \`rookery_requests_total\`, a status is there from the first request that had it.
- What an application registers at \`MetricRegistry\` stands beside these.

${rows}
`;
}
