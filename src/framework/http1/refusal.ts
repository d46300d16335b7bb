/** Why a request is not served. */
export type Http1RefusalKind =
  | 'malformed'
  /** Not exactly one `host`; the head is whole. */
  | 'host'
  /** A field that can be there once is there twice; the head is whole. */
  | 'repeated'
  /** Of the headers, or of the trailers. */
  | 'headers-too-large'
  /** Headers or body have not come in time. */
  | 'timeout'
  | 'version'
  | 'transfer-coding';

/** A request that the engine refuses, or the rest of one. The connection closes after the answer. */
export interface Http1Refusal {
  readonly kind: Http1RefusalKind;
  /** HTTP status that fits: 400, 408, 431, 501 or 505. */
  readonly status: number;
  /** What is wrong with what, and what was expected; never a value that was sent. */
  readonly message: string;
}

const statuses: Record<Http1RefusalKind, number> = {
  malformed: 400,
  host: 400,
  repeated: 400,
  timeout: 408,
  'headers-too-large': 431,
  'transfer-coding': 501,
  version: 505,
};

export function refusal(kind: Http1RefusalKind, message: string): Http1Refusal {
  return { kind, status: statuses[kind], message };
}
