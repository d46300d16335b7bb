import { describe, expect, it } from 'vitest';
import { Http2Headers } from '../http2/index.js';
import { headersRecord } from './headers-record.js';

const recordOf = (...lines: string[]): object => headersRecord(new Http2Headers(lines));
const date = 'Fri, 02 Jan 2026 03:04:05 GMT';

describe('the record of header fields', () => {
  it('joins lines of one name, and cookies as one cookie', () => {
    expect(recordOf('x', '1', 'cookie', 'a=1', 'x', '2', 'cookie', 'b=2', 'set-cookie', 'c')).toEqual({
      x: '1, 2',
      cookie: 'a=1; b=2',
      'set-cookie': ['c'],
    });
  });

  it.each(['if-modified-since', 'if-unmodified-since'])('lets nobody take one of two dates of %s', (name) => {
    expect(recordOf(name, date, name, date)).toEqual({ [name]: `${date}, ${date}` });
  });

  it.each(['gzip', 'gzip, deflate, br;q=0.5, *;q=0', '', 'identity;q=1.000, a'])('has accept-encoding %j', (value) => {
    expect(recordOf('accept-encoding', value)).toEqual({ 'accept-encoding': value });
  });

  it.each(['gzip;q=1\u00a0', 'gzip;q=5', '\u00a0gzip, br', 'gzip;q', 'g zip'])(
    'leaves out accept-encoding %j',
    (value) => {
      expect(recordOf('accept-encoding', value, 'x', '1')).toEqual({ x: '1' });
    },
  );
});
