import { type FieldViolation, RookeryError, Status } from '../core/index.js';

/** The request does not have the expected form. `errors` in the envelope, `BadRequest` on gRPC, name each field. */
export class ValidationError extends RookeryError {
  static override readonly reason = 'VALIDATION_FAILED';
  static override readonly status = Status.InvalidArgument;

  constructor(violations: readonly FieldViolation[]) {
    super(summary(violations), { violations });
  }
}

// The first violation tells most callers all they need; the rest is in the details.
function summary(violations: readonly FieldViolation[]): string {
  const [first] = violations;
  if (first === undefined) return 'the request is not valid';
  const rest = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  return `${first.message}${rest}`;
}
