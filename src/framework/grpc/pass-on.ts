import type { ErrorOrigin, Fault, RookeryErrorOptions } from '../core/index.js';
import { faultOf, httpStatusOf, InternalError, RookeryError, Status, statusName, statusOfHttp } from '../core/index.js';
import { RemoteError, remoteError } from './client.errors.js';
import { isTransportText } from '../pipeline/index.js';
import type { StatusDetail } from './status-error.js';

/** What another service said, on its way to the client by the will of the code; `passOn()` makes it. */
export class PassedOnError extends RookeryError {
  readonly #status: Status;
  readonly #reason: string;
  readonly #httpStatus: number;
  /** The other side's details, sent as they are; `undefined` where it sent none, and the client gets ours. */
  readonly details: readonly StatusDetail[] | undefined;

  /** @param httpStatus where it is narrower than that of `status` */
  constructor(
    status: Status,
    reason: string,
    message: string,
    options: RookeryErrorOptions & { readonly details?: readonly StatusDetail[]; readonly httpStatus?: number },
  ) {
    super(message, options);
    this.#status = status;
    this.#reason = reason;
    this.#httpStatus = options.httpStatus ?? httpStatusOf(status);
    this.details = options.details;
  }

  override get status(): Status {
    return this.#status;
  }

  override get reason(): string {
    return this.#reason;
  }

  override get httpStatus(): number {
    return this.#httpStatus;
  }

  /** Of what would be the service's own fault, the other side's. */
  override get fault(): Fault | undefined {
    return faultOf(this.#status) === 'service' ? 'upstream' : undefined;
  }

  override get origin(): ErrorOrigin {
    return 'passedOn';
  }
}

/**
 * Passes a failed call to another service on to the client: with the other side's status, message and details. Without it
 * a client learns only that another service is not available or has failed.
 *
 * It takes a `RemoteError`, what grpc-js and Connect throw, and errors of HTTP clients that have a `response` or a
 * `status`. Metadata of the other side is not passed on. Any other error comes back as it is, also one about the
 * connection or the time limit of the call: the other side said nothing then, and the client gets what it would without.
 *
 * @example
 * const user = await users.getUser({ id }).catch((error) => raise(passOn(error)));
 */
export function passOn(error: unknown): Error {
  const thrown = error instanceof Error ? error : new InternalError({ cause: error });
  const remote = remoteError(thrown);
  if (remote instanceof RemoteError) return isTransportText(remote.message) ? thrown : fromRemote(remote);
  if (RookeryError.is(thrown)) return thrown;
  return fromConnect(thrown) ?? fromResponse(thrown) ?? thrown;
}

function fromRemote(error: RemoteError): PassedOnError {
  const { status, reason, message, metadata, violations, retryAfterMs, details } = error;
  return new PassedOnError(status, reason, message, {
    cause: error,
    metadata,
    violations,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(details.length > 0 && { details }),
  });
}

function fromConnect(error: Error): PassedOnError | undefined {
  const { code, rawMessage, details } = error as { code?: unknown; rawMessage?: unknown; details?: unknown };
  if (typeof code !== 'number' || code < 1 || code > Status.Unauthenticated || typeof rawMessage !== 'string') {
    return undefined;
  }
  // Those that came over the wire; others hold a descriptor, which only Connect can encode.
  const received = (Array.isArray(details) ? details : []).flatMap((detail: { type?: unknown; value?: unknown }) =>
    typeof detail.type === 'string' && detail.value instanceof Uint8Array
      ? [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }]
      : [],
  );
  const status = code as Status;
  return new PassedOnError(status, statusName(status), rawMessage, {
    cause: error,
    ...(received.length > 0 && { details: received }),
  });
}

function fromResponse(error: Error): PassedOnError | undefined {
  const { response = error, message } = error as { response?: unknown; message: string };
  const { status, statusCode, data } = response as { status?: unknown; statusCode?: unknown; data?: unknown };
  const httpStatus = typeof status === 'number' ? status : statusCode;
  if (typeof httpStatus !== 'number' || httpStatus < 400 || httpStatus > 599) return undefined;
  const code = statusOfHttp(httpStatus);
  return new PassedOnError(code, statusName(code), messageIn(data) ?? message, { cause: error, httpStatus });
}

// Our envelope, Nest's errors, and problem documents.
function messageIn(body: unknown): string | undefined {
  if (typeof body === 'string' && body !== '') return body;
  if (typeof body !== 'object' || body === null) return undefined;
  const { message, detail } = body as { message?: unknown; detail?: unknown };
  if (typeof message === 'string') return message;
  return typeof detail === 'string' ? detail : undefined;
}
