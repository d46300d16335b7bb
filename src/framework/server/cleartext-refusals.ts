import type { Connection } from './connections.js';

/** A client that is set up wrong tries again and again: the log need not hear of each time. */
const tellAgainMs = 60_000;

const answer =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 29\r\n\r\nthis port expects TLS (https)';

/** Those who speak cleartext where TLS is asked for. */
export class CleartextRefusals {
  readonly #log: (message: string, fields: object) => void;
  #untold = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  /** Since the start. */
  total = 0;

  constructor(log: (message: string, fields: object) => void) {
    this.#log = log;
  }

  /**
   * A person with the wrong scheme in the address gets a sentence; anything else gets nothing. The connection is still to
   * be closed.
   *
   * @param seen  its first bytes
   */
  answer({ socket }: Connection, protocol: 'http1' | 'http2', seen: Buffer): void {
    if (protocol === 'http1' && /^[A-Z]{3,7} /.test(seen.toString('latin1', 0, 8))) socket.write(answer);
    this.total += 1;
    this.#untold += 1;
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < tellAgainMs) return;
    this.#log('cleartext refused: the port expects TLS', {
      peer: socket.remoteAddress,
      protocol,
      connections: this.#untold,
    });
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}
