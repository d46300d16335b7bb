import { RookeryError, Status } from '../core/index.js';

/** What is asked for belongs to a feature that is off for this caller. It may be on later, or for others: see `features`. */
export class FeatureOffError extends RookeryError {
  static override readonly reason = 'FEATURE_OFF';
  static override readonly status = Status.Unimplemented;
  // As for a route or method that is not there.
  static override readonly httpStatus = 404;

  constructor(feature: string) {
    super(`${feature} is off`, { metadata: { feature } });
  }
}
