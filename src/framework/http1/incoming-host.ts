import type { ByteAccount } from '../wire/index.js';
import type { Http1Refusal } from './refusal.js';
import type { Http1RequestHead, RequestHead } from './request-head.js';
import type { Stream } from './stream.js';

/** What the reader of a connection needs of it. */
export interface IncomingHost {
  /** Whether a request may begin: none is being answered, and the output is not behind. */
  readonly isReady: boolean;
  readonly account: ByteAccount;
  /** The caller asks for another protocol; `bytes` is all that has come since its request began. True: it has another owner now. */
  onUpgrade(head: RequestHead, bytes: Buffer): boolean;
  open(head: RequestHead): Stream;
  serve(stream: Stream, head: RequestHead): void;
  onRefusal(refusal: Http1Refusal, head: Partial<Http1RequestHead>): void;
  /** The rest of a request that has been answered is there, and thrown away. */
  onUnreadEnd(): void;
  /** Nothing more is to be read, or something again. */
  holdSocket(isHeld: boolean): void;
}
