import type { Connection } from './connections.js';
import { RefusalLog } from './refusal-log.js';

const answer =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 29\r\n\r\nthis port expects TLS (https)';

/** Connections with the wrong scheme: cleartext where the port expects TLS, TLS where it has no certificate. */
export class SchemeRefusals {
  readonly #cleartextLog: RefusalLog;
  readonly #tlsLog: RefusalLog;
  /** Cleartext connections refused since the start. */
  cleartextTotal = 0;

  constructor(log: (message: string, fields: object) => void) {
    this.#cleartextLog = new RefusalLog(log, 'cleartext refused: the port expects TLS');
    this.#tlsLog = new RefusalLog(log, 'TLS refused: the port expects cleartext');
  }

  /**
   * A person with the wrong scheme in the address gets a sentence; anything else gets nothing. The connection is still to
   * be closed.
   *
   * @param seen  its first bytes
   */
  answerCleartext({ socket, peer }: Connection, protocol: 'http1' | 'http2', seen: Buffer): void {
    if (protocol === 'http1' && /^[A-Z]{3,7} /.test(seen.toString('latin1', 0, 8))) socket.write(answer);
    this.cleartextTotal += 1;
    this.#cleartextLog.note({ peer, protocol });
  }

  /** The connection has begun a TLS handshake, and is still to be closed. */
  noteTls({ peer }: Connection): void {
    this.#tlsLog.note({ peer });
  }
}
