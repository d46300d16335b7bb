import { describe, expect, it } from 'vitest';
import { Metadata } from './metadata.js';
import { Http2Headers } from '../http2/index.js';
import type { OutgoingFields } from './server-stream.js';
import { percentEncode } from './status-trailers.js';

describe('Metadata', () => {
  it('leaves out the white space around a text that HTTP/2 cannot carry', () => {
    const metadata = new Metadata();
    metadata.set('key', '  two words ');
    const fields: OutgoingFields = [];

    metadata.writeTo(fields);

    expect(fields).toEqual([{ name: 'key', value: 'two words' }]);
  });

  it('reads what a caller sent, and not what HTTP and gRPC need themselves', () => {
    const metadata = Metadata.fromHeaders(
      new Http2Headers(
        [
          ['content-type', 'application/grpc'],
          ['te', 'trailers'],
          ['grpc-timeout', '1S'],
          ['user-agent', 'test'],
          ['plain', 'a, b'],
          ['many', 'a'],
          ['data-bin', 'AAE=, AAI'],
          ['many', 'b'],
        ].flat(),
      ),
    );

    expect(metadata.toJSON()).toEqual({
      'user-agent': ['test'],
      plain: ['a, b'],
      many: ['a', 'b'],
      'data-bin': [Buffer.from([0, 1]), Buffer.from([0, 2])],
    });
  });

  it('leaves out what HTTP carries and metadata does not, so that what was read can be sent back', () => {
    const metadata = Metadata.fromHeaders(
      new Http2Headers(
        [
          ['plain', 'a~ b'],
          ['plain', 'a\u00a0'],
          ['tab', 'a\tb'],
          ['above', '\u00ff'],
          ['not!a-key', 'a'],
        ].flat(),
      ),
    );

    expect(metadata.toJSON()).toEqual({ plain: ['a~ b'] });
    const back = new Metadata();
    for (const [key, value] of Object.entries(metadata.getMap())) back.set(key, value);
  });

  it.each(['AAE', 'AAE=', ' AAE= ,\tAAE ', ''])('takes %j for bytes', (value) => {
    const values = Metadata.fromHeaders(new Http2Headers(['a-bin', value])).get('a-bin');

    expect(values.every((each) => Buffer.isBuffer(each))).toBe(true);
  });

  it.each(['\u00a0AAE', 'AAE\u00a0', 'A\u00a0AE', 'AAE==', 'A', 'AA-_', 'AA E', '=AAE', 'AAE,\u00a0'])(
    'takes %j for no base64',
    (value) => {
      const metadata = Metadata.fromHeaders(new Http2Headers(['a-bin', value]));

      expect(() => metadata.get('a-bin')).toThrow(expect.objectContaining({ reason: 'MALFORMED_METADATA' }));
    },
  );

  it('has the usual methods', () => {
    const metadata = new Metadata();
    metadata.set('Key', 'one');
    metadata.add('key', 'two');
    metadata.set('b-bin', Buffer.from('x'));
    metadata.add('gone', 'x');
    metadata.remove('GONE');
    const copy = metadata.clone();
    copy.merge(metadata);

    expect(metadata.get('KEY')).toEqual(['one', 'two']);
    expect(metadata.get('gone')).toEqual([]);
    expect(metadata.getMap()).toEqual({ key: 'one', 'b-bin': Buffer.from('x') });
    expect(copy.get('key')).toEqual(['one', 'two', 'one', 'two']);
  });

  it.each([
    ['a key', 'sch\u00f6n', 'x'],
    ['text with a line break', 'key', 'a\r\nforged: header'],
    ['text for bytes', 'key-bin', 'x'],
    ['bytes for text', 'key', Buffer.from('x')],
  ])('refuses %s', (_what, key, value) => {
    expect(() => new Metadata().set(key, value)).toThrow(/^metadata (key|value)/);
  });

  it('leaves reserved and taken names alone when written', () => {
    const metadata = new Metadata();
    metadata.set('grpc-status', '0');
    metadata.set('x-request-id', 'forged');
    metadata.set('mine', 'yes');
    const fields: OutgoingFields = [{ name: 'x-request-id', value: 'real' }];

    metadata.writeTo(fields);

    expect(fields).toEqual([
      { name: 'x-request-id', value: 'real' },
      { name: 'mine', value: 'yes' },
    ]);
  });
});

describe('percentEncode', () => {
  it.each([
    ['plain text ~', 'plain text ~'],
    ['100%', '100%25'],
    ['a\nb\u007f', 'a%0Ab%7F'],
    ['\u00e4\u20ac\ud83d\ude00', '%C3%A4%E2%82%AC%F0%9F%98%80'],
    [' at the ends ', '%20at the ends%20'],
    ['', ''],
  ])('encodes %j', (text, encoded) => {
    expect(percentEncode(text)).toBe(encoded);
    expect(decodeURIComponent(percentEncode(text))).toBe(text);
  });
});
