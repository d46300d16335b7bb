import type { Connection } from './connections.js';
import { RefusalLog } from './refusal-log.js';

const answer =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 29\r\n\r\nthis port expects TLS (https)';

/** Those who speak cleartext where TLS is asked for. */
export class CleartextRefusals {
  readonly #log: RefusalLog;
  /** Since the start. */
  total = 0;

  constructor(log: (message: string, fields: object) => void) {
    this.#log = new RefusalLog(log, 'cleartext refused: the port expects TLS');
  }

  /**
   * A person with the wrong scheme in the address gets a sentence; anything else gets nothing. The connection is still to
   * be closed.
   *
   * @param seen  its first bytes
   */
  answer({ socket, peer }: Connection, protocol: 'http1' | 'http2', seen: Buffer): void {
    if (protocol === 'http1' && /^[A-Z]{3,7} /.test(seen.toString('latin1', 0, 8))) socket.write(answer);
    this.total += 1;
    this.#log.note({ peer, protocol });
  }
}
