import { describe, expect, it } from 'vitest';
import { http2ConnectionOptions } from '../http2/index.js';
import { LimitOptions } from '../pipeline/index.js';
import { connectionOptions } from './http2-connection-options.js';
import { Http2Options } from './http2.options.js';

describe('connectionOptions', () => {
  it('leaves the rates of the engine as they are where nobody changes them', () => {
    const rates = (options: object): unknown[] => Object.entries(options).filter(([name]) => name.endsWith('Rate'));

    expect(rates(connectionOptions(new Http2Options(), new LimitOptions()))).toEqual(rates(http2ConnectionOptions()));
  });
});
