import { readFile } from 'node:fs/promises';
import { Module } from '@nestjs/common';
import { startTestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { exchangeRaw } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start();
});

afterAll(() => app.close());

/** Figures by name and labels as they are written. */
async function figures(): Promise<Map<string, number>> {
  const { text } = await http(app.url, { path: '/metrics' });
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe('GET /metrics', () => {
  it('answers as it is, in the text format of Prometheus, to anybody, on both protocols', async () => {
    const connection = await Http2Caller.connect(app.url);
    const answers = [await http(app.url, { path: '/metrics' }), await connection.request({ ':path': '/metrics' })];
    connection.close();

    for (const { status, headers, text } of answers) {
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(headers['cache-control']).toBe('no-store');
      expect(text).toMatch(/^(# (HELP|TYPE) rookery_\w+ .+\n|rookery_\w+(\{.+\})? [\d.e+-]+\n)+$/);
      expect(text).toContain('\n# TYPE rookery_request_duration_seconds histogram\n');
    }
  });

  it('counts the requests of both faces by status, and does not count itself', async () => {
    const before = await figures();

    await http(app.url, { path: '/trial/context' });
    await http(app.url, { path: '/nothing' });
    await app.caller.call(methodOf(TrialService, 'PlaceOrder'), [{ title: 'counted' }]);
    await app.caller.call(methodOf(TrialService, 'PlaceOrder'), [{ title: '' }]);
    const after = await figures();

    const grown = [...after].flatMap(([name, value]) => {
      const difference = value - (before.get(name) ?? 0);
      return /^rookery_request(s_total|_duration_seconds_count)\{/.test(name) && difference > 0
        ? [`${name} ${difference}`]
        : [];
    });
    expect(grown.toSorted()).toEqual([
      'rookery_request_duration_seconds_count{face="grpc"} 2',
      'rookery_request_duration_seconds_count{face="http"} 2',
      'rookery_requests_total{face="grpc",status="INVALID_ARGUMENT"} 1',
      'rookery_requests_total{face="grpc",status="OK"} 1',
      'rookery_requests_total{face="http",status="NOT_FOUND"} 1',
      'rookery_requests_total{face="http",status="OK"} 1',
    ]);
  });

  it('shows connections by state and HTTP/2 streams, open ones and all', async () => {
    const connection = await Http2Caller.connect(app.url);
    const before = await figures();

    await connection.request({ ':path': '/trial/context' });
    const after = await figures();

    const opened = 'rookery_http2_streams_opened_total';
    expect((after.get(opened) ?? 0) - (before.get(opened) ?? 0)).toBe(1);
    expect(after.get('rookery_connections{state="http2"}')).toBeGreaterThanOrEqual(1);
    expect(after.get('rookery_http2_streams')).toBe(0);
    expect(after.get('rookery_requests_in_flight')).toBe(0);
    connection.close();
  });

  it('counts what is asked over HTTP/1.1, and what is refused before it is a request', async () => {
    const before = await figures();
    await exchangeRaw(app.port, 'GET / HTTP/9.9\r\n\r\n');
    const after = await figures();

    const growth = (name: string): number => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
    expect(growth('rookery_http1_requests_refused_total{reason="version"}')).toBe(1);
    expect(growth('rookery_http1_requests_refused_total{reason="malformed"}')).toBe(0);
    expect(growth('rookery_http1_requests_total')).toBe(1);
  });
});

describe('docs/metrics.md', () => {
  /** Name, type and labels of each metric that `/metrics` has. */
  async function exposed(url: string): Promise<string[]> {
    const { text } = await http(url, { path: '/metrics' });
    const labelsOf = (name: string): string[] => {
      const samples = text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, 'gm'));
      const names = [...samples].flatMap(([, labels = '']) =>
        [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label),
      );
      return [...new Set(names.filter((label) => label !== undefined && label !== 'le'))] as string[];
    };
    const types = text.matchAll(/^# TYPE (\w+) (\w+)$/gm);
    return [...types].map(([, name = '', type = '']) => [name, type, ...labelsOf(name)].join(' ')).toSorted();
  }

  async function documented(): Promise<string[]> {
    const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const rows = page.matchAll(/^\| `(rookery_\w+)` \| (\w+) \| (.*?) \| .+ \|$/gm);
    return [...rows]
      .map(([, name, type, labels = '']) =>
        [name, type, ...[...labels.matchAll(/`(\w+)`:/g)].map(([, label]) => label)].join(' '),
      )
      .toSorted();
  }

  it('has every metric of a running service, with its type and labels, and no other', async () => {
    @Module({})
    class EmptyModule {}
    const set = { 'nacos.address': '127.0.0.1:1', 'nacos.required': false, 'nacos.startTimeoutMs': 100 };
    const service = await startTestService(EmptyModule, { set: { ...set, 'nacos.snapshot.enabled': false } });
    await http(service.url, { path: '/nothing' });
    let found: string[] = [];
    await eventually('the request is counted', async () => {
      found = await exposed(service.url);
      return found.includes('rookery_requests_total counter face status');
    });
    await service.close();

    expect(found.length).toBeGreaterThan(40);
    expect(await documented()).toEqual(found);
    expect(await documented()).toEqual(expect.arrayContaining(await exposed(app.url)));
  });
});
