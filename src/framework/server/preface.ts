import type { Socket } from 'node:net';
import { afterArrivals } from './after-arrivals.js';

/** What the first bytes of a connection say it speaks. */
export type Protocol = 'http1' | 'http2' | 'tls';

/** Why a connection never got that far. */
export type SniffFailure = 'silent' | 'closed';

/** @see https://www.rfc-editor.org/rfc/rfc9113.html#section-3.4 */
export const http2Preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

// TLS record type 22, handshake (RFC 8446 section 5.1); no HTTP request begins with this byte.
const tlsHandshake = 0x16;

/**
 * Tells the protocol from the bytes that have come so far; `undefined` while they may still become the HTTP/2 preface.
 * Whatever diverges from it, be it `POST` at the second byte or garbage, is the HTTP/1.1 parser's to judge.
 */
export function protocolOf(seen: Buffer): Protocol | undefined {
  if (seen.length === 0) return undefined;
  if (seen[0] === tlsHandshake) return 'tls';
  const length = Math.min(seen.length, http2Preface.length);
  if (seen.compare(http2Preface, 0, length, 0, length) !== 0) return 'http1';
  return length === http2Preface.length ? 'http2' : undefined;
}

// RFC 9112 section 3: method, target and version, in which only "HTTP" may stand.
const requestLineOfOthers = /^\S+ \S+ (?!HTTP\/)[^\r\n]*\r\n/;
// The names of protocols are short; so are the lines of who tries them out.
const longestLineBytes = 256;

/** Whether the first line has the form of a request's and names another protocol: an answer in HTTP would mean nothing. */
export function namesOtherProtocol(seen: Buffer): boolean {
  return requestLineOfOthers.test(seen.toString('latin1', 0, longestLineBytes));
}

/**
 * Waits for the bytes that tell the protocol, puts them back and leaves the socket paused, all in one turn: nothing
 * can arrive in between. `done` is called once.
 *
 * @param timeoutMs for all of it; a client that sends byte after byte gains nothing
 * @param done      called with the protocol and the bytes seen, or with why there is none
 */
export function sniff(
  socket: Socket,
  timeoutMs: number,
  done: (protocol: Protocol | SniffFailure, seen: Buffer) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const finish = (outcome: Protocol | SniffFailure): void => {
    cancel();
    socket.off('data', onData);
    socket.off('end', onClosed);
    socket.off('close', onClosed);
    done(outcome, seen);
  };
  const onClosed = (): void => finish('closed');
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = protocolOf(seen);
    if (protocol === undefined) return;
    socket.pause();
    socket.unshift(seen);
    finish(protocol);
  };
  const cancel = afterArrivals(timeoutMs, () => finish('silent'));
  socket.on('data', onData);
  socket.on('end', onClosed);
  socket.on('close', onClosed);
}
