/**
 * The gRPC status codes, which Rookery uses as its canonical set on every face.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/statuscodes.md
 */
export const Status = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

/** One of the seventeen gRPC status codes, 0 – 16. */
export type Status = (typeof Status)[keyof typeof Status];

interface StatusRow {
  readonly name: string;
  readonly http: number;
}

// Indexed by code. The HTTP column is the mapping in the comments of google/rpc/code.proto.
const rows: readonly StatusRow[] = [
  { name: 'OK', http: 200 },
  { name: 'CANCELLED', http: 499 },
  { name: 'UNKNOWN', http: 500 },
  { name: 'INVALID_ARGUMENT', http: 400 },
  { name: 'DEADLINE_EXCEEDED', http: 504 },
  { name: 'NOT_FOUND', http: 404 },
  { name: 'ALREADY_EXISTS', http: 409 },
  { name: 'PERMISSION_DENIED', http: 403 },
  { name: 'RESOURCE_EXHAUSTED', http: 429 },
  { name: 'FAILED_PRECONDITION', http: 400 },
  { name: 'ABORTED', http: 409 },
  { name: 'OUT_OF_RANGE', http: 400 },
  { name: 'UNIMPLEMENTED', http: 501 },
  { name: 'INTERNAL', http: 500 },
  { name: 'UNAVAILABLE', http: 503 },
  { name: 'DATA_LOSS', http: 500 },
  { name: 'UNAUTHENTICATED', http: 401 },
];

// The way back is not one to one: where several codes share an HTTP status, the plainest is taken.
const byHttp: ReadonlyMap<number, Status> = new Map<number, Status>([
  [400, Status.InvalidArgument],
  [401, Status.Unauthenticated],
  [403, Status.PermissionDenied],
  [404, Status.NotFound],
  [405, Status.Unimplemented],
  [406, Status.InvalidArgument],
  [408, Status.DeadlineExceeded],
  [409, Status.AlreadyExists],
  [410, Status.NotFound],
  [412, Status.FailedPrecondition],
  [413, Status.ResourceExhausted],
  [414, Status.InvalidArgument],
  [415, Status.InvalidArgument],
  [416, Status.OutOfRange],
  [422, Status.InvalidArgument],
  [429, Status.ResourceExhausted],
  [431, Status.ResourceExhausted],
  [499, Status.Cancelled],
  [501, Status.Unimplemented],
  [503, Status.Unavailable],
  [504, Status.DeadlineExceeded],
]);

/** The name of a code as the gRPC documentation writes it, such as `NOT_FOUND`; `UNKNOWN` for a number outside 0 – 16. */
export function statusName(status: number): string {
  return rows[status]?.name ?? 'UNKNOWN';
}

/** The HTTP status of a gRPC code, by the canonical google.rpc mapping; 500 for a number outside 0 – 16. */
export function httpStatusOf(status: number): number {
  return rows[status]?.http ?? 500;
}

/** The gRPC code that says the same as an HTTP status: exact where one exists, else by class (4xx, 5xx). */
export function statusOfHttp(httpStatus: number): Status {
  if (httpStatus < 400) return Status.Ok;
  return byHttp.get(httpStatus) ?? (httpStatus < 500 ? Status.InvalidArgument : Status.Internal);
}
