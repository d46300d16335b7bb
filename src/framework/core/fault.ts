import { Status } from './status.js';

/**
 * Whose fault an outcome is.
 *
 * - `client`: what the client sent, how fast it sends and reads, the time it allows, and that it went away
 * - `service`: this service, by a defect or because it did not answer within its own time limit
 * - `upstream`: another service that this one called
 * - `load`: more work than the process takes, or a process that is stopping; no defect of anyone
 */
export type Fault = (typeof faults)[number];

/** All of them, in the order in which metrics list them. */
export const faults = ['client', 'service', 'upstream', 'load'] as const;

/** What the deadline of a request adds to a status. */
export interface DeadlineEvidence {
  /** It is the client's: shorter than the service's own limit, or the client went away. */
  readonly isClients: boolean;
  /** Why it fired; `undefined` while it has not. */
  readonly reason: object | undefined;
}

/**
 * Says whose fault an outcome is: the one place that decides it, for the rollback window, the log, the metrics, and for
 * alerts and breakers.
 *
 * What an error states comes first. Otherwise INTERNAL, UNKNOWN, DATA_LOSS and UNAVAILABLE are the service's. So is
 * DEADLINE_EXCEEDED, unless the client asked for less time than the service's own limit, and CANCELLED that no client
 * asked for. All other failures are refusals, and the client's.
 *
 * @param stated `RookeryError.fault` of the error, where there is one
 * @returns `undefined` for success
 */
export function faultOf(status: number, stated?: Fault, deadline?: DeadlineEvidence): Fault | undefined {
  if (status === Status.Ok) return undefined;
  if (stated !== undefined) return stated;
  switch (status) {
    case Status.DeadlineExceeded:
      return deadline?.isClients === true ? 'client' : 'service';
    case Status.Cancelled:
      return deadline?.reason === undefined ? 'service' : 'client';
    case Status.Internal:
    case Status.Unknown:
    case Status.DataLoss:
    case Status.Unavailable:
      return 'service';
    default:
      return 'client';
  }
}
