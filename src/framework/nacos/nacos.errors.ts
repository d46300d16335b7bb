/** What all failures of the Nacos client have in common. No message holds a password, a token or a configuration. */
export abstract class NacosError extends Error {
  /** For programs: never changes its meaning. */
  abstract readonly reason: string;
}

/** An argument or option is outside its range. */
export class NacosOptionError extends NacosError {
  override readonly name = 'NacosOptionError';
  readonly reason = 'NACOS_OPTION_INVALID';
}

/** No server could be reached, or the connection broke before the answer; asking again later may help. */
export class NacosUnavailableError extends NacosError {
  override readonly name = 'NacosUnavailableError';
  readonly reason = 'NACOS_UNAVAILABLE';
}

/** There was no answer in time. Whether the server did what was asked is not known. */
export class NacosTimeoutError extends NacosError {
  override readonly name = 'NacosTimeoutError';
  readonly reason = 'NACOS_TIMEOUT';
}

/** The server does not accept user and password, or the user lacks the right. */
export class NacosDeniedError extends NacosError {
  override readonly name = 'NacosDeniedError';
  readonly reason = 'NACOS_DENIED';
}

/** Too many requests at once: the client's own bound, or the server's threshold (code 503). */
export class NacosOverloadedError extends NacosError {
  override readonly name = 'NacosOverloadedError';
  readonly reason = 'NACOS_OVERLOADED';
}

/** The server refused a request. */
export class NacosRequestError extends NacosError {
  override readonly name = 'NacosRequestError';
  readonly reason = 'NACOS_REQUEST_FAILED';

  constructor(
    /** The protocol's number: 300 not there, 302 no handler, 400 bad request, 500 error of the server. */
    readonly errorCode: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The content on the server is no longer the one that `casMd5` names; nothing was written. */
export class NacosCasError extends NacosError {
  override readonly name = 'NacosCasError';
  readonly reason = 'NACOS_CAS_CONFLICT';
}

/** What came is not the protocol. */
export class NacosProtocolError extends NacosError {
  override readonly name = 'NacosProtocolError';
  readonly reason = 'NACOS_PROTOCOL';
}

/** `close()` was called. */
export class NacosClosedError extends NacosError {
  override readonly name = 'NacosClosedError';
  readonly reason = 'NACOS_CLOSED';

  constructor() {
    super('nacos: the client is closed');
  }
}
