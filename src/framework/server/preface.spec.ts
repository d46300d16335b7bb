import { describe, expect, it } from 'vitest';
import { http2Preface, namesOtherProtocol, protocolOf } from './preface.js';

describe('protocolOf', () => {
  it.each(Array.from({ length: http2Preface.length }, (_, length) => length))(
    'waits for more after %i bytes of the preface',
    (length) => {
      expect(protocolOf(http2Preface.subarray(0, length))).toBeUndefined();
    },
  );

  it('knows the whole preface, with or without frames behind it', () => {
    expect(protocolOf(http2Preface)).toBe('http2');
    expect(protocolOf(Buffer.concat([http2Preface, Buffer.from([0, 0, 0, 4])]))).toBe('http2');
  });

  it.each(Array.from({ length: http2Preface.length }, (_, at) => at))(
    'decides for HTTP/1.1 at the first byte that differs: %i',
    (at) => {
      const bytes = Buffer.from(http2Preface.subarray(0, at + 1));
      bytes[at] = 0x7a;

      expect(protocolOf(bytes)).toBe('http1');
    },
  );

  it('knows TLS by its first byte', () => {
    expect(protocolOf(Buffer.from([0x16]))).toBe('tls');
  });

  it.each(['P', 'POST', 'PRI', 'PRIX', 'GET / HTTP/1.1\r\n', '\0\0\0'])('does not take %j for HTTP/2', (text) => {
    expect(protocolOf(Buffer.from(text))).toBe(text === 'P' || text === 'PRI' ? undefined : 'http1');
  });
});

describe('namesOtherProtocol', () => {
  it.each([
    ['INVALID CONNECTION PREFACE\r\n', true],
    ['GET / FTP/1.0\r\n', true],
    ['GET / HTTP/1.1\r\n', false],
    ['GET / HTTP/9.9\r\n', false],
    ['GET /', false],
    ['\0\x01garbage\r\n', false],
  ])('says of %j: %s', (line, expected) => {
    expect(namesOtherProtocol(Buffer.from(line, 'latin1'))).toBe(expected);
  });
});
