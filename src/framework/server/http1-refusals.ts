import type { RookeryError } from '../core/index.js';
import {
  HeadersTooLargeError,
  HttpVersionNotSupportedError,
  MalformedRequestError,
  RequestTimeoutError,
  TransferCodingNotSupportedError,
} from '../http/index.js';
import type { Http1Refusal } from '../http1/index.js';
import type { LimitOptions } from '../pipeline/index.js';

/** What a caller is told of a request that the HTTP/1.1 engine has refused. */
export function refusalError({ kind, message }: Http1Refusal, limits: LimitOptions): RookeryError {
  switch (kind) {
    case 'headers-too-large':
      return message.endsWith(' fields')
        ? new HeadersTooLargeError(limits.maxHeaderFields, 'fields')
        : new HeadersTooLargeError(limits.maxHeaderBytes);
    case 'timeout':
      return new RequestTimeoutError();
    case 'version':
      return new HttpVersionNotSupportedError();
    case 'transfer-coding':
      return new TransferCodingNotSupportedError();
    case 'host':
    case 'repeated':
      return new MalformedRequestError(message);
    default:
      return new MalformedRequestError(`the request is not valid HTTP: ${message}`);
  }
}
