import { RookeryError, type RookeryErrorOptions, Status, statusName } from '../core/index.js';

/** One detail of a status: a message of any type, as `google.protobuf.Any` carries it; `anyPack()` makes one. */
export interface StatusDetail {
  /** Such as `type.googleapis.com/google.rpc.Help`. */
  readonly typeUrl: string;
  /** The message, encoded. */
  readonly value: Uint8Array;
}

/**
 * A gRPC status as a peer's protocol prescribes it, chosen where it is thrown: for gateways, for contracts of others, for
 * details of your own. A failure of your service deserves a class of its own below `RookeryError`, whose stable reason
 * the caller gets; here the caller gets `status`, `message` and `details`, and nothing of ours.
 *
 * On REST it answers like any other error, by the HTTP status of `status`; details are not sent there.
 *
 * @example
 * throw new StatusError(Status.FailedPrecondition, 'the account is locked', [anyPack(HelpSchema, help)]);
 */
export class StatusError extends RookeryError {
  readonly #status: Status;
  /** Sent in this order, as many from the front as fit into 6 KiB: clients refuse larger trailers. */
  readonly details: readonly StatusDetail[];

  /** @throws RangeError `status` is 0 or no gRPC code: there is no error that is OK */
  constructor(
    status: Status,
    message: string,
    details: readonly StatusDetail[] = [],
    options: Pick<RookeryErrorOptions, 'cause'> = {},
  ) {
    super(message, options);
    if (!Number.isInteger(status) || status < 1 || status > Status.Unauthenticated)
      throw new RangeError(`status: ${String(status)} (expected: 1 to 16)`);
    this.#status = status;
    this.details = details;
  }

  override get status(): Status {
    return this.#status;
  }

  /** The name of the status, such as `NOT_FOUND`. */
  override get reason(): string {
    return statusName(this.#status);
  }
}
