import { describe, expect, it } from 'vitest';
import { Http2HeaderError, precompute } from '../../http2/index.js';
import { trailerFrame } from './trailer-frame.js';

describe('the frame of trailers', () => {
  it('holds lines of HTTP/1.1, also of a block that was encoded for HTTP/2', () => {
    const fields = [
      { name: 'grpc-status', value: '0' },
      { name: 'said', value: 'a: b' },
    ];
    const text = 'grpc-status: 0\r\nsaid: a: b\r\n';
    const frame = Buffer.concat([Buffer.from([0x80, 0, 0, 0, text.length]), Buffer.from(text)]);

    expect(trailerFrame(fields)).toEqual(frame);
    expect(trailerFrame(precompute(fields))).toEqual(frame);
  });

  it.each([
    ['said', 'a\r\ngrpc-status: 0'],
    ['said\n', 'a'],
    ['said', '\0'],
  ])('refuses %j: %j, which would be another line', (name, value) => {
    expect(() => trailerFrame([{ name, value }])).toThrow(Http2HeaderError);
  });
});
