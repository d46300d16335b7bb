import {
  CancelledError,
  ClientShareExceededError,
  DeadlineExceededError,
  type FireReason,
  Status,
} from '../core/index.js';
import { ErrorCode } from '../http2/index.js';
import type { Outcome } from '../pipeline/index.js';

/** The outcome of a call that got its response. */
export const succeeded: Outcome = { status: Status.Ok, httpStatus: 200, reason: undefined, fault: undefined };

/** The outcome of a call that failed: whatever the failure, HTTP says 200. */
export function outcomeOf({ status, reason, fault }: Omit<Outcome, 'httpStatus'>): Outcome {
  return { status, httpStatus: 200, reason, fault };
}

/** The outcome of a call whose stream is gone, by the code of RFC 9113 section 7: there was no room for it, or the client left. */
export function outcomeOfClose(code: number): Outcome {
  return code === ErrorCode.enhanceYourCalm
    ? { status: Status.ResourceExhausted, httpStatus: 429, reason: ClientShareExceededError.reason, fault: 'client' }
    : { status: Status.Cancelled, httpStatus: 499, reason: CancelledError.reason, fault: 'client' };
}

/** The same reason, as the client's fault: the time passed while the service waited for it to send or to read. */
export function blamedOnClient(reason: FireReason): FireReason {
  return reason instanceof DeadlineExceededError ? new DeadlineExceededError(reason.timeoutMs, 'client') : reason;
}
