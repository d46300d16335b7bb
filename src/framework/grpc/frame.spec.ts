import { describe, expect, it } from 'vitest';
import { frameOf, isOneMessage, messageIn, MessageReader, type WireMessage } from './frame.js';
import { RequestTooLargeError } from '../pipeline/index.js';

function textOf({ bytes, start, end }: WireMessage): string {
  return Buffer.from(bytes.subarray(start, end)).toString();
}

function readAll(reader: MessageReader): string[] {
  const all: string[] = [];
  for (let message = reader.next(); message !== undefined; message = reader.next()) {
    all.push(`${message.isCompressed ? 'z' : ''}${textOf(message)}`);
  }
  return all;
}

describe('MessageReader', () => {
  const messages = ['', 'a', 'hello', 'x'.repeat(300), ''];
  const bytes = Buffer.concat(messages.map((text) => frameOf(Buffer.from(text), false)));

  it('gives the same messages for every split into three packets', () => {
    for (let first = 0; first <= bytes.length; first += 7) {
      for (let second = first; second <= bytes.length; second += 5) {
        const reader = new MessageReader(300);
        const found: string[] = [];
        for (const part of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]) {
          reader.push(part);
          found.push(...readAll(reader));
        }
        expect(found).toEqual(messages);
        expect(reader.isEmpty).toBe(true);
      }
    }
  });

  it('leaves a message as it is while later bytes come in', () => {
    const reader = new MessageReader(300);
    const frame = frameOf(Buffer.from('first'), false);
    for (const byte of frame) reader.push(Buffer.of(byte));
    const first = reader.next();

    for (let count = 0; count < 50; count += 1)
      for (const byte of frameOf(Buffer.from('other'), false)) reader.push(Buffer.of(byte));
    readAll(reader);

    expect(first === undefined ? '' : textOf(first)).toBe('first');
  });

  it('keeps no more than four times what came, whatever a prefix announces', () => {
    const reader = new MessageReader(2 ** 31 - 1);
    const before = process.memoryUsage().arrayBuffers;
    for (const byte of [0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]) reader.push(Buffer.of(byte));

    expect(reader.next()).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  it('refuses a message over the limit by its prefix', () => {
    const reader = new MessageReader(299);
    reader.push(frameOf(Buffer.from('x'.repeat(300)), false).subarray(0, 5));

    expect(() => reader.next()).toThrow(RequestTooLargeError);
  });

  it('tells compressed messages', () => {
    const reader = new MessageReader(10);
    reader.push(frameOf(Buffer.from('a'), true));

    expect(readAll(reader)).toEqual(['za']);
  });
});

describe('isOneMessage', () => {
  const frame = frameOf(Buffer.from('hello'), false);

  it('knows a packet that is one message', () => {
    expect(isOneMessage(frame, 5)).toBe(true);
    expect(textOf(messageIn(frame))).toBe('hello');
    expect(isOneMessage(frameOf(Buffer.alloc(0), false), 0)).toBe(true);
  });

  it.each([
    ['a part of one', frame.subarray(0, 9)],
    ['a part of a prefix', frame.subarray(0, 3)],
    ['more than one', Buffer.concat([frame, frame])],
    ['one over the limit', frameOf(Buffer.from('hello!'), false)],
    ['one with unknown flags', Buffer.from([2, 0, 0, 0, 1, 0])],
  ])('leaves %s to the reader', (_what, packet) => {
    expect(isOneMessage(packet, 5)).toBe(false);
  });
});
