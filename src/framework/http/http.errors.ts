import { RookeryError, Status } from '../core/index.js';

// What a caller has sent is not sent back, or logged, in any length.
function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** No route has this path. Look it up in `/openapi.json`. */
export class RouteNotFoundError extends RookeryError {
  static override readonly reason = 'ROUTE_NOT_FOUND';
  static override readonly status = Status.NotFound;

  constructor(method: string, path: string) {
    super(`no route for ${method} ${short(path)}`);
  }
}

/** The path exists, but not with this method; `allow` names those it has. Use one of them. */
export class MethodNotAllowedError extends RookeryError {
  static override readonly reason = 'METHOD_NOT_ALLOWED';
  static override readonly status = Status.Unimplemented;
  static override readonly httpStatus = 405;

  constructor(method: string, path: string, allowed: readonly string[]) {
    super(`${method} is not allowed on ${short(path)} (allowed: ${allowed.join(', ')})`, {
      httpHeaders: { allow: allowed.join(', ') },
      metadata: { allow: allowed.join(', ') },
    });
  }
}

/** The body is not what its content type says: broken JSON, bad UTF-8, or nested too deeply. */
export class MalformedBodyError extends RookeryError {
  static override readonly reason = 'MALFORMED_BODY';
  static override readonly status = Status.InvalidArgument;
}

/** The path has a wrong percent escape or is not UTF-8. */
export class MalformedUrlError extends RookeryError {
  static override readonly reason = 'MALFORMED_URL';
  static override readonly status = Status.InvalidArgument;

  constructor() {
    super('the path has a malformed percent escape');
  }
}

/** The body is in a format that this path does not read, or `content-type` is not one media type. Send `application/json` to a route, gRPC or gRPC-Web to an RPC. */
export class UnsupportedContentTypeError extends RookeryError {
  static override readonly reason = 'UNSUPPORTED_CONTENT_TYPE';
  static override readonly status = Status.InvalidArgument;
  static override readonly httpStatus = 415;

  constructor(contentType: string | undefined, expected: readonly string[] = ['application/json']) {
    super(`content type ${short(contentType ?? '(none)')} is not supported (expected: ${expected.join(' or ')})`, {
      httpHeaders: { accept: expected.join(', ') },
    });
  }
}

/** The body is coded by what this service does not take. Send it as it is, or in gzip, br or deflate. */
export class UnsupportedContentEncodingError extends RookeryError {
  static override readonly reason = 'UNSUPPORTED_CONTENT_ENCODING';
  static override readonly status = Status.InvalidArgument;
  static override readonly httpStatus = 415;

  constructor(encoding: string | undefined) {
    super(`content encoding ${short(encoding ?? '(none)')} is not supported (expected: gzip, br or deflate)`, {
      httpHeaders: { 'accept-encoding': 'gzip, br, deflate' },
    });
  }
}

/** The `request-timeout` header is not a number of seconds, such as `1.5`. */
export class MalformedRequestTimeoutError extends RookeryError {
  static override readonly reason = 'MALFORMED_REQUEST_TIMEOUT';
  static override readonly status = Status.InvalidArgument;

  constructor(value: string) {
    super(`request-timeout: ${JSON.stringify(value.slice(0, 40))} (expected: seconds, such as 1.5)`);
  }
}

/** The bytes on the connection are not HTTP, `host` is missing, or a header that can be there once (`host`, `authorization`, `content-type`) is there twice. */
export class MalformedRequestError extends RookeryError {
  static override readonly reason = 'MALFORMED_REQUEST';
  static override readonly status = Status.InvalidArgument;
}

/** The request has an `expect` header that asks for something else than `100-continue`. */
export class ExpectationFailedError extends RookeryError {
  static override readonly reason = 'EXPECTATION_FAILED';
  static override readonly status = Status.InvalidArgument;
  static override readonly httpStatus = 417;

  constructor() {
    super('the expect header cannot be met (expected: 100-continue)');
  }
}

/**
 * The request is CONNECT: it asks for a tunnel, and this is no proxy. Connect through a proxy, or send the request itself.
 */
export class TunnelNotOfferedError extends RookeryError {
  static override readonly reason = 'TUNNEL_NOT_OFFERED';
  static override readonly status = Status.Unimplemented;

  constructor() {
    super('CONNECT is not offered: this is no proxy');
  }
}

/** The request is in a version of HTTP/1 that there is not. Use HTTP/1.1 or HTTP/2. */
export class HttpVersionNotSupportedError extends RookeryError {
  static override readonly reason = 'HTTP_VERSION_NOT_SUPPORTED';
  static override readonly status = Status.Unimplemented;
  static override readonly httpStatus = 505;

  constructor() {
    super('the version of HTTP is not supported (expected: 1.0, 1.1 or 2)');
  }
}

/**
 * The request has a `transfer-encoding` other than `chunked`. Send the body in chunks or with `content-length`; compression
 * belongs in `content-encoding`.
 */
export class TransferCodingNotSupportedError extends RookeryError {
  static override readonly reason = 'TRANSFER_CODING_NOT_SUPPORTED';
  static override readonly status = Status.Unimplemented;

  constructor() {
    super('the transfer coding is not supported (expected: chunked)');
  }
}

/**
 * The headers have more bytes than `server.limits.maxHeaderBytes`, or more fields than `maxHeaderFields`. Send fewer or
 * shorter fields, cookies and tokens first; sending them again as they are will fail again.
 */
export class HeadersTooLargeError extends RookeryError {
  static override readonly reason = 'HEADERS_TOO_LARGE';
  static override readonly status = Status.ResourceExhausted;
  static override readonly httpStatus = 431;

  /** @param limit in bytes, or the number of fields */
  constructor(limit: number, what: 'bytes' | 'fields' = 'bytes') {
    super(
      what === 'bytes'
        ? `request headers are larger than ${limit} bytes`
        : `request headers have more than ${limit} fields`,
    );
  }
}

/** The query has more parameters than `server.limits.maxQueryParameters`. Send a long list in a body. */
export class TooManyQueryParametersError extends RookeryError {
  static override readonly reason = 'TOO_MANY_QUERY_PARAMETERS';
  static override readonly status = Status.InvalidArgument;

  constructor(limit: number) {
    super(`query with more than ${limit} parameters`, { metadata: { limit: String(limit) } });
  }
}

/**
 * Headers or body did not arrive within `server.limits.headersTimeoutMs` or `bodyTimeoutMs`. Send the request again,
 * without pauses; where the connection is slow, send less.
 */
export class RequestTimeoutError extends RookeryError {
  static override readonly reason = 'REQUEST_TIMEOUT';
  static override readonly status = Status.DeadlineExceeded;
  static override readonly httpStatus = 408;
  static override readonly fault = 'client';

  constructor() {
    super('the request did not arrive in time');
  }
}
