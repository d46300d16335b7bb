import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LimitOptions } from '../pipeline/index.js';
import { connectionOptions } from './http2-connection-options.js';
import { Http2Options, Http2RateOptions } from './http2.options.js';

describe('connectionOptions', () => {
  const plain = connectionOptions(new Http2Options(), new LimitOptions());
  const names = Object.keys(new Http2Options()).filter((name) => name !== 'rates');

  it('is made of every option of server.http2, so that a change reaches the next connection', () => {
    const ignored = names.filter((name) => {
      const before = Reflect.get(new Http2Options(), name) as number;
      const changed = Object.assign(new Http2Options(), { [name]: before + 1 });
      return isDeepStrictEqual(connectionOptions(changed, new LimitOptions()), plain);
    });

    expect(names.length).toBeGreaterThan(10);
    expect(ignored).toEqual([]);
  });

  it('is made of every option of server.http2.rates', () => {
    const rates = Object.keys(new Http2RateOptions());
    const ignored = rates.filter((name) => {
      const before = Reflect.get(new Http2RateOptions(), name) as number;
      const changed = Object.assign(new Http2RateOptions(), { [name]: before + 1 });
      const options = Object.assign(new Http2Options(), { rates: changed });
      return isDeepStrictEqual(connectionOptions(options, new LimitOptions()), plain);
    });

    expect(rates.length).toBeGreaterThan(10);
    expect(ignored).toEqual([]);
  });
});
