import { RawConnection } from './raw-connection.js';
import { readAnswers } from './raw-http1-client.js';
import { Flag, FrameType, RawClient, frame, setting, settings, uint32 } from './raw-http2-client.js';

/** A request whose words go out as they are, one byte for each character. */
export interface WireRequest {
  readonly method?: string;
  readonly path: string;
  /** `host` on HTTP/1.1. */
  readonly authority?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
}

/** What came back; status 0: a reset of the stream, or the end of the connection, and nothing else. */
export interface WireAnswer {
  readonly status: number;
  /** Trailers among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type WireVersion = 'HTTP/1.1' | 'HTTP/2';

export const wireVersions: readonly WireVersion[] = ['HTTP/1.1', 'HTTP/2'];

/** Sends all requests, on as few connections as their answers allow, and gives the answers in their order. */
export function exchange(version: WireVersion, port: number, requests: readonly WireRequest[]): Promise<WireAnswer[]> {
  return version === 'HTTP/1.1' ? overHttp1(port, requests) : overHttp2(port, requests);
}

const none: WireAnswer = { status: 0, headers: {}, body: '' };
// Well below what a connection may have open.
const batch = 50;

async function overHttp1(port: number, requests: readonly WireRequest[]): Promise<WireAnswer[]> {
  const answers: WireAnswer[] = [];
  while (answers.length < requests.length) {
    const next = requests.slice(answers.length, answers.length + batch);
    const connection = await RawConnection.open(port);
    connection.write(Buffer.concat(next.map((request, at) => http1Bytes(request, at === next.length - 1))));
    const methods = next.map(({ method = 'GET' }) => method);
    const came = readAnswers(await connection.closed, methods).answers.filter(({ status }) => status >= 200);
    answers.push(...(came.length === 0 ? [none] : came));
  }
  return answers;
}

function http1Bytes(request: WireRequest, isLast: boolean): Buffer {
  const { method = 'GET', path, authority = 'test', headers = [], body } = request;
  const own: (readonly [string, string])[] = headers.some(([name]) => name === 'host') ? [] : [['host', authority]];
  if (body !== undefined) own.push(['content-length', String(body.length)]);
  if (isLast) own.push(['connection', 'close']);
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, body]);
}

async function overHttp2(port: number, requests: readonly WireRequest[]): Promise<WireAnswer[]> {
  const answers: WireAnswer[] = [];
  while (answers.length < requests.length) {
    const next = requests.slice(answers.length, answers.length + batch);
    answers.push(...(await batchOverHttp2(port, next)));
  }
  return answers;
}

// A connection each: what is malformed counts against it.
async function batchOverHttp2(port: number, requests: readonly WireRequest[]): Promise<WireAnswer[]> {
  const client = await RawClient.connect(port, settings(setting(4, 2 ** 31 - 1)));
  client.send(frame(FrameType.windowUpdate, 0, 0, uint32(2 ** 30)));
  requests.forEach(({ method = 'GET', path, authority = 'test', headers = [], body }, at) => {
    const pseudo = { ':method': method, ':scheme': 'http', ':path': path, ':authority': authority };
    const fields = [...Object.entries(pseudo), ...headers].map(([name, value]) => ({ name, value }));
    const id = 2 * at + 1;
    client.send(client.headers(id, fields, body === undefined ? Flag.endStream : 0));
    if (body !== undefined) client.send(frame(FrameType.data, Flag.endStream, id, body));
  });
  const isOver = (id: number): boolean =>
    client.frames.some(
      ({ type, flags, streamId }) =>
        streamId === id && (type === FrameType.rstStream || (type <= 1 && (flags & Flag.endStream) !== 0)),
    );
  await client.when(() => requests.every((_, at) => isOver(2 * at + 1)));
  // The table of the decoder wants all blocks, in the order in which they came.
  const heads = new Map<number, Record<string, string>>();
  for (const head of client.of(FrameType.headers)) {
    const fields = client.decode(head);
    if (fields[':status']?.startsWith('1') !== true)
      heads.set(head.streamId, { ...heads.get(head.streamId), ...fields });
  }
  const answers = requests.map((_, at): WireAnswer => {
    const headers = heads.get(2 * at + 1);
    const body = Buffer.concat(client.of(FrameType.data, 2 * at + 1).map(({ payload }) => payload));
    return headers === undefined
      ? none
      : { status: Number(headers[':status']), headers, body: body.toString('latin1') };
  });
  client.close();
  return answers;
}

const inUtf8 = (text: string): string => Buffer.from(text).toString('latin1');

/** What a field value may carry and no word has, as characters of one byte. */
const obsText: readonly string[] = [
  ...Array.from({ length: 0x80 }, (_, at) => String.fromCharCode(0x80 + at)),
  ...['\u00a0', '\u2028', '\u3000', '\ufeff', '\u212a'].map(inUtf8),
];

/** What no field value may carry. */
export const controls: readonly string[] = [
  ...Array.from({ length: 0x20 }, (_, at) => String.fromCharCode(at)).filter((char) => char !== '\t'),
  '\x7f',
];

// All of them at the ends, where white space is taken off; between letters those that something somewhere takes for white space.
const inside = ['\x80', '\x85', '\xa0', '\xff', inUtf8('\u2028'), inUtf8('\ufeff')];

/** `word` with something at each of its places that makes it another word. */
export function spoiled(word: string): readonly string[] {
  const ends = obsText.flatMap((each) => [each + word, word + each]);
  const spaced = inside.flatMap((each) => [`${each} ${word}`, `${word}\t${each}`]);
  const places = Array.from({ length: word.length - 1 }, (_, at) => at + 1);
  return [
    ...ends,
    ...spaced,
    ...places.flatMap((at) => inside.map((each) => word.slice(0, at) + each + word.slice(at))),
  ];
}
