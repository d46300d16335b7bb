import { describe, expect, it } from 'vitest';
import { type Outcome, feed } from '../../../test/support/http1-wire.js';
import { controls, spoiled } from '../../../test/support/wire-requests.js';
import { HeadReader } from './head-reader.js';
import { requestHead, RequestHead } from './request-head.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const next = 'GET /next HTTP/1.1\r\nhost: a\r\n\r\n';
const send = (text: string): Promise<Outcome> => feed([bytesOf(text + next)]);

/** A word of HTTP/1.1, and what shows that the engine has understood it. */
interface Word {
  readonly name: string;
  readonly clean: string;
  readonly text: (word: string) => string;
  readonly isTaken: (outcome: Outcome) => boolean;
}

const words: readonly Word[] = [
  {
    name: 'transfer-encoding',
    clean: 'chunked',
    text: (word) => `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: ${word}\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    isTaken: ({ requests }) => requests[0]?.body === 'x',
  },
  {
    name: 'connection',
    clean: 'close',
    text: (word) => `GET / HTTP/1.1\r\nhost: a\r\nconnection: ${word}\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 1,
  },
  {
    name: 'connection among others',
    clean: 'close',
    text: (word) => `GET / HTTP/1.1\r\nhost: a\r\nconnection: te,${word}, x\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 1,
  },
  {
    name: 'connection of HTTP/1.0',
    clean: 'keep-alive',
    text: (word) => `GET / HTTP/1.0\r\nconnection: ${word}\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 2,
  },
  {
    name: 'content-length',
    clean: '1',
    text: (word) => `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${word}\r\n\r\nx`,
    isTaken: ({ requests }) => requests[0]?.body === 'x',
  },
  {
    name: 'host',
    clean: 'abc:8080',
    text: (word) => `GET / HTTP/1.1\r\nhost: ${word}\r\n\r\n`,
    isTaken: ({ requests }) => requests[0]?.path === '/',
  },
  {
    name: 'the target',
    clean: '/a/b?c=d',
    text: (word) => `GET ${word} HTTP/1.1\r\nhost: a\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 2,
  },
  {
    name: 'the method',
    clean: 'GET',
    text: (word) => `${word} / HTTP/1.1\r\nhost: a\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 2,
  },
  {
    name: 'the version',
    clean: 'HTTP/1.1',
    text: (word) => `GET / ${word}\r\nhost: a\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 2,
  },
  {
    name: 'a name',
    clean: 'Host',
    text: (word) => `GET / HTTP/1.1\r\n${word}: a\r\n\r\n`,
    isTaken: ({ requests }) => requests.length === 2,
  },
  {
    name: 'a chunk size',
    clean: '1',
    text: (word) => `POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${word}\r\nx\r\n0\r\n\r\n`,
    isTaken: ({ requests }) => requests[0]?.isWhole === true,
  },
];

describe.each(words)('$name of HTTP/1.1', ({ clean, text, isTaken }) => {
  it('is taken as it is, and with a byte more at no place', { timeout: 30_000 }, async () => {
    const taken: string[] = [];
    for (const word of [clean, ...spoiled(clean)]) if (isTaken(await send(text(word)))) taken.push(word);

    expect(taken).toEqual([clean]);
  });

  it('is taken with no control character in it', { timeout: 30_000 }, async () => {
    const places = [0, 1, clean.length];
    const all = controls.flatMap((each) => places.map((at) => clean.slice(0, at) + each + clean.slice(at)));
    const taken: string[] = [];
    for (const word of all) if (isTaken(await send(text(word)))) taken.push(word);

    expect(taken).toEqual([]);
  });
});

/** Whether the engine waits with its answer for the caller to go on. */
function expectsContinue(value: string): boolean {
  const bytes = bytesOf(`POST / HTTP/1.1\r\nhost: a\r\nexpect: ${value}\r\ncontent-length: 1\r\n\r\n`);
  const reader = new HeadReader();
  reader.begin(bytes.length, 10);
  const head = requestHead(reader, bytes, 0, reader.read(bytes, 0, bytes.length));
  return head instanceof RequestHead && head.expectsContinue;
}

describe('an expectation of HTTP/1.1', () => {
  it('is met as it is, in any case and in a list', () => {
    for (const value of ['100-continue', '100-Continue', 'a, 100-continue']) expect(expectsContinue(value)).toBe(true);
  });

  it('is met with a byte more at no place', () => {
    const others = ['x-100-continue', '100-continue-x', '"100-continue"', '100-continue=a', '(100-continue)', 'a b'];

    expect([...others, ...spoiled('100-continue')].filter(expectsContinue)).toEqual([]);
  });
});
