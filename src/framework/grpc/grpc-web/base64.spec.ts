import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Base64Reader, encodeBase64, MalformedBase64Error } from './base64.js';

function readAll(chunks: readonly Uint8Array[]): Buffer {
  const reader = new Base64Reader();
  return Buffer.concat([...chunks.map((chunk) => reader.read(chunk)), reader.end()]);
}

/** `bytes` cut at the places given. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('base64 of a body', () => {
  it('is decoded whatever its pieces, and wherever they are padded and split', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.array(fc.nat(200)), (pieces, places) => {
        const encoded = Buffer.concat(pieces.map((piece) => encodeBase64(piece)));
        expect(readAll(cut(encoded, places))).toEqual(Buffer.concat(pieces));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives each byte as soon as its group is complete', () => {
    const reader = new Base64Reader();

    expect(reader.read(Buffer.from('AQ'))).toHaveLength(0);
    expect(reader.read(Buffer.from('==AQID'))).toEqual(Buffer.from([1, 1, 2, 3]));
  });

  it('may lack the padding at its end', () => {
    expect(readAll([Buffer.from('AQI')])).toEqual(Buffer.from([1, 2]));
  });

  it.each(['A', 'AQID=AQI', 'AQ=D', '====', 'A===', 'AQ-_', 'AQI\n', 'AQ ID', 'AQ\u00e4D'])('is not %j', (text) => {
    expect(() => readAll([Buffer.from(text, 'latin1')])).toThrow(MalformedBase64Error);
  });
});
