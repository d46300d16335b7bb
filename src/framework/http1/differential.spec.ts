import { METHODS } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { malformed, wellFormed } from '../../../test/support/http1-corpus.js';
import { feed, feedNode, type Outcome, type TakenRequest } from '../../../test/support/http1-wire.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const next = 'GET /next HTTP/1.1\r\nhost: a\r\n\r\n';

/** What of the corpus Node's parser takes and we do not, with the reason. */
const stricter: Readonly<Record<string, string>> = {
  'chunked with a comma before': 'an empty element of a list is a coding that nobody knows',
  'an unknown coding before chunked': 'Node passes a compressed body on; RFC 9112 section 6.1 has 501 for it',
  'a content-length beyond 2^53': 'a number that JavaScript cannot hold exactly',
  'a chunk size beyond 2^53': 'a number that JavaScript cannot hold exactly',
  'a chunk extension without a value': 'RFC 9112 section 7.1.1',
  'long chunk extensions': 'Node counts those of a chunk, we those of a body',
  'host in trailers': 'RFC 9110 section 6.5.1: routing does not wait for trailers',
  'only empty lines': 'Node skips as many as come',
  'chunks in HTTP/1.0': 'RFC 9112 section 6.1: cut otherwise by who does not know chunks',
  'no version': 'Node serves HTTP/0.9',
  'HTTP/0.9 by name': 'Node serves HTTP/0.9',
  'another protocol': 'Node serves RTSP',
  'two blanks behind the method': 'RFC 9112 section 3: a single one',
  'two blanks behind the target': 'RFC 9112 section 3: a single one',
  'a fragment': 'RFC 9112 section 3.2: not part of a target',
  'an asterisk for another method': 'RFC 9112 section 3.2.4: for OPTIONS',
  'another scheme': 'RFC 9112 section 3.2.2: a proxy would take it',
  'user information in the target': 'RFC 9110 section 4.2.4',
  'no host in the target': 'RFC 9110 section 4.2.1',
  'CONNECT without a port': 'RFC 9112 section 3.2.3',
  'CONNECT with a path': 'RFC 9112 section 3.2.3',
  'two hosts': 'RFC 9112 section 3.2',
  'the same host twice': 'RFC 9112 section 3.2',
  'two hosts in HTTP/1.0': 'RFC 9112 section 3.2',
  'a list of hosts': 'RFC 9112 section 3.2',
  'a path in host': 'RFC 9112 section 3.2',
  'user information in host': 'RFC 9112 section 3.2',
  'a port that is none': 'RFC 9112 section 3.2',
  'a backslash in the path': 'RFC 3986 section 3.3',
  'a quotation mark in the path': 'RFC 3986 section 3.3',
  'braces in the path': 'RFC 3986 section 3.3',
  'a fragment behind a query': 'RFC 9112 section 3.2: not part of a target',
  'half an escape in host': 'RFC 3986 section 3.2.2',
  'a no-break space before host': 'RFC 9112 section 3.2',
  'two authorizations': 'RFC 9110 section 5.3; Node passes on the first one',
  'the same authorization twice': 'RFC 9110 section 5.3; Node passes on the first one',
  'two content-types': 'RFC 9110 section 5.3; Node passes on the first one',
  'absolute form with another host': 'RFC 9112 section 3.2.2: a proxy may have gone by the other one',
  'absolute form with an empty host': 'RFC 9112 section 3.2.2: a proxy may have gone by the other one',
};

/** Bytes behind the last answer of a connection are an error to Node; we read and forget them. */
const isRefused = ({ refusal }: Outcome): boolean => refusal !== undefined && refusal !== 'HPE_CLOSED_CONNECTION';

// Of a body that breaks off, the two may have passed on more or less before they saw it.
const known = (ours: TakenRequest, request: TakenRequest | undefined): unknown =>
  ours.isWhole ? request : request && { method: request.method, path: request.path };

/** What ours takes, Node's takes, byte for byte; and what Node's refuses, ours refuses. */
function expectNoMore(ours: Outcome, nodes: Outcome): void {
  // A method that Node has not heard of is a request all the same, which no route has (RFC 9110 section 9.1).
  if (ours.requests.some(({ method }) => !METHODS.includes(method))) return;
  expect(ours.requests.map((each) => known(each, each))).toEqual(
    ours.requests.map((each, i) => known(each, nodes.requests[i])),
  );
  expect(isRefused(ours)).toBe(isRefused(ours) || isRefused(nodes));
}

/** Every way that is known to make two servers see different requests in the same bytes, and some more. */
const anyOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const anyLineEnd = fc.oneof(
  { weight: 60, arbitrary: fc.constant('\r\n') },
  anyOf('\n', '\r', '\r\r\n', '\n\r', ' \r\n', ''),
);
const anyRequestLine = fc
  .tuple(
    anyOf('GET', 'POST', 'POST', 'HEAD', 'OPTIONS', 'get', 'G\0', ''),
    anyOf(' ', ' ', ' ', ' ', '  ', '\t'),
    anyOf('/', '/a?b', '/a', '*', 'http://a/x', 'http://b/', '/#', '/\x7f', '/\xff', 'a', ''),
    anyOf(' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.0', ' HTTP/0.9', ' HTTP/2.0', '  HTTP/1.1', ''),
  )
  .map((parts) => parts.join(''));
const anyField = fc
  .tuple(
    anyOf(
      'Host',
      'X',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Expect',
      'content-length',
      'TRANSFER-ENCODING',
    ),
    anyOf(': ', ': ', ': ', ':', ' : ', '\t:', ':\t', ':\x0b', ';', ''),
    anyOf(
      'a',
      '0',
      '5',
      '5',
      '05',
      '+5',
      '5,5',
      '0x5',
      '5 5',
      'chunked',
      'chunked',
      'Chunked',
      'chunked,',
      ',chunked',
    ).chain((value) =>
      fc.oneof({ weight: 8, arbitrary: fc.constant(value) }, anyOf(`${value} `, `\x00${value}`, `${value}\x7f`)),
    ),
  )
  .map((parts) => parts.join(''));
const anyFoldedField = fc.tuple(anyField, anyOf('\r\n ', '\r\n\t', '\n ')).map(([field, fold]) => `${field}${fold}x`);
const anyChunk = fc
  .tuple(
    anyOf('5', '5', '5', '05', '0', '5;a', '5;a="b"', '5 ', '5;', '0x5', '+5', '5;\0', 'fffffffffffffffff'),
    anyLineEnd,
    anyOf('hello', 'hello', 'hello', 'hell', 'hello!', ''),
    anyLineEnd,
  )
  .map((parts) => parts.join(''));
const anyBody = fc.oneof(
  anyOf('', 'hello', 'hell', `5\r\nhello\r\n0\r\n\r\n`, '0\r\n\r\n', '0\r\nX: y\r\n\r\n'),
  fc.array(anyChunk, { maxLength: 3 }).map((chunks) => `${chunks.join('')}0\r\n\r\n`),
);
const anyRequest = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: fc.constant('POST / HTTP/1.1') }, anyRequestLine),
    fc.oneof({ weight: 5, arbitrary: fc.constant(['Host: a']) }, fc.constant([])),
    fc.array(fc.oneof({ weight: 8, arbitrary: anyField }, anyFoldedField), { maxLength: 3 }),
    anyLineEnd,
    anyBody,
  )
  .map(([line, host, fields, lineEnd, body]) =>
    [line, ...host, ...fields, '', body].join('\r\n').replace('\r\n', lineEnd),
  );
const anyMutations = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'cut', 'insert')), {
  maxLength: 2,
});

function mutate(text: string, mutations: readonly (readonly [at: number, value: number, how: string])[]): string {
  let result = text;
  for (const [at, value, how] of mutations) {
    const place = result.length === 0 ? 0 : at % result.length;
    const byte = how === 'cut' ? '' : String.fromCharCode(value);
    result = result.slice(0, place) + byte + result.slice(how === 'insert' ? place : place + 1);
  }
  return result;
}

describe('the engine beside the server of Node', () => {
  it.each(Object.entries(wellFormed))('serves the same: %s', async (_what, text) => {
    const bytes = bytesOf(text + next);

    const [ours, nodes] = [await feed([bytes]), await feedNode(bytes)];

    expect(isRefused(nodes)).toBe(false);
    expect(ours.requests).toEqual(nodes.requests);
  });

  it.each(Object.entries(malformed))('refuses as much, or more: %s', async (what, [, text]) => {
    const bytes = bytesOf(text + next);

    const [ours, nodes] = [await feed([bytes]), await feedNode(bytes)];

    expectNoMore(ours, nodes);
    expect(isRefused(nodes)).toBe(stricter[what] === undefined);
  });

  it('takes no request from any bytes that Node does not take from them', { timeout: 60_000 }, async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRequest, { minLength: 1, maxLength: 3 }),
        anyMutations,
        async (requests, mutations) => {
          const bytes = bytesOf(mutate(requests.join(''), mutations) + next);

          const [ours, nodes] = [await feed([bytes]), await feedNode(bytes)];

          expectNoMore(ours, nodes);
          taken += ours.requests.filter(({ isWhole }) => isWhole).length;
        },
      ),
      { numRuns: 2000 },
    );
    // Else they would agree because there was nothing to agree on.
    expect(taken).toBeGreaterThan(200);
  });
});
