import { connect } from 'node:net';
import type { ConfigEndpoint } from './config.driver.js';

/**
 * Whether one of the endpoints takes a connection within the time; `false` as soon as all have refused. It leaves no
 * connection behind.
 */
export function isReachable(endpoints: readonly ConfigEndpoint[], timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let waiting = endpoints.length;
  if (waiting === 0) return Promise.resolve(true);
  const sockets = endpoints.map(({ host, port }) =>
    connect({ host: host.replace(/^\[(.*)\]$/, '$1'), port })
      .on('connect', () => end(true))
      .on('error', () => {
        waiting -= 1;
        if (waiting === 0) end(false);
      }),
  );
  const timer = setTimeout(() => end(false), timeoutMs);
  const end = (result: boolean): void => {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
    resolve(result);
  };
  return promise;
}
