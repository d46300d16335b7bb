import type { Socket } from 'node:net';
import { readProxyHeader } from './proxy-header.js';
import type { ProxyHeader } from './proxy-reading.js';

/** Why a connection has no usable header; `closed`: the other end closed it without a byte, as port checks do. */
export type ProxyHeaderFailure = 'closed' | 'late' | 'malformed' | 'missing';

const nothing = Buffer.alloc(0);

/**
 * Waits for the header of the PROXY protocol, takes it off the connection, and leaves the socket paused. `done` is called
 * once.
 *
 * @param timeoutMs for all of it
 */
export function awaitProxyHeader(
  socket: Socket,
  timeoutMs: number,
  done: (outcome: ProxyHeader | ProxyHeaderFailure) => void,
): void {
  let seen: Buffer = nothing;
  const finish = (outcome: ProxyHeader | ProxyHeaderFailure): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onClosed);
    socket.off('close', onClosed);
    done(outcome);
  };
  // A part of a header is more than a port check sends.
  const onClosed = (): void => finish(seen.length === 0 ? 'closed' : 'malformed');
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const reading = readProxyHeader(seen);
    if (reading === 'incomplete') return;
    socket.pause();
    if (typeof reading === 'object' && seen.length > reading.length) socket.unshift(seen.subarray(reading.length));
    finish(reading);
  };
  const timer = setTimeout(() => finish('late'), timeoutMs);
  socket.on('data', onData);
  socket.on('end', onClosed);
  socket.on('close', onClosed);
}
