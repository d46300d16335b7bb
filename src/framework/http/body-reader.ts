import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { RequestTooLargeError } from '../pipeline/index.js';
import { BodyParts } from './body-parts.js';
import { MalformedBodyError } from './http.errors.js';

/** Told once: what is wrong, or the whole body. */
export type BodyDone = (error: Error | null, body?: Buffer) => void;

/**
 * Reads a request body into memory, up to `maxBytes`. Fastify reads bodies as well, but up to a limit that is fixed when
 * the route is made.
 *
 * @param payload the request, or what a hook put in its place
 * @param keep    is given each piece; says why it cannot be kept, if it cannot
 */
export function readBody(
  request: Pick<IncomingMessage, 'headers'> & { readonly raw: unknown },
  payload: NodeJS.ReadableStream,
  maxBytes: number,
  keep: (piece: Buffer) => Error | undefined,
  done: BodyDone,
): void {
  const { 'content-length': announced } = request.headers;
  if (announced !== undefined && Number(announced) > maxBytes) {
    done(new RequestTooLargeError(maxBytes));
    return;
  }
  const parts = new BodyParts();
  const end = (error: Error | null, body?: Buffer): void => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
    done(error, body);
  };
  const onData = (chunk: Buffer | string): void => {
    // Of a stream that somebody else made.
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const isTooLong = parts.length + bytes.length > maxBytes;
    const refusal = isTooLong ? new RequestTooLargeError(maxBytes) : keep(bytes);
    if (refusal === undefined) {
      parts.add(bytes);
      return;
    }
    end(refusal);
    // Of an encoded body little may have come, and a thousand times as much would follow.
    if (payload !== request.raw) (payload as Readable).destroy();
  };
  const onEnd = (): void => {
    // Also of one chunk a copy: what came may be part of the socket's own buffer, which is used again.
    if (announced === undefined || Number(announced) === parts.length) end(null, parts.whole());
    else end(new MalformedBodyError('the body is not as long as content-length says'));
  };
  const onError = (error: Error): void => {
    // The request broke off: that is not a fault of the service.
    end(Object.assign(error, { statusCode: 400 }));
  };
  payload.on('data', onData).on('end', onEnd).on('error', onError);
  payload.resume();
}
