import { HttpException } from '@nestjs/common';
import { RookeryError, Status, statusOfHttp } from '../core/index.js';

/**
 * What a failed call to another service comes to: `unavailable` (not reached, overloaded), `late` (its time was over, or
 * the call was given up), `failed` (it refused or broke).
 */
export type ForeignOutcome = 'unavailable' | 'late' | 'failed';

type Fields = Partial<Readonly<Record<string, unknown>>>;

// Longer chains name nothing new, and a cycle has an end.
const maxCauses = 8;

// Node's words for connections and names that fail. ENOENT, EMFILE and the like are the process's own.
const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EPIPE',
  'EPROTO',
  'ERR_NETWORK',
  'ERR_CANCELED',
  'ERR_SOCKET_CONNECTION_TIMEOUT',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'NR_CLOSED',
  'PROTOCOL_CONNECTION_LOST',
]);
// Of calls that only reach for others: whatever fails there is not about this process's own files and limits.
const networkCalls = /^(?:connect|getaddrinfo|query[A-Z]\w*)$/;
const networkCodePrefix = /^(?:UND_ERR_|ERR_TLS_|ERR_SSL_|HPE_)/;

// SQLSTATE classes of a database that cannot be reached, has no room, or is going down; all others are about the statement.
const databaseOutage = /^(?:08|53|57P)/;

// How Node, fetch, grpc-js and HTTP clients put it: an application that copies the text copies addresses with it.
const foreignText =
  /\b(?:connect|getaddrinfo|query[A-Z]\w*) E[A-Z_]+\b|\bE(?:CONN(?:REFUSED|RESET|ABORTED)|NOTFOUND|AI_[A-Z]+|TIMEDOUT|TIMEOUT|SERVFAIL|HOST(?:UNREACH|DOWN)|NET(?:UNREACH|DOWN)|ADDRNOTAVAIL|PIPE|PROTO)\b|\bdoes not match certificate's altnames\b|\bfetch failed\b|\bsocket hang up\b|\bNo connection established\b|\bName resolution failed\b|\bRequest failed with status code \d{3}\b|\bremote_addr=|^Deadline exceeded after \d|^Cancelled on client$|^\d{1,2} [A-Z][A-Z_]{4,}: /;
const compressErrorName = 'FastifyCompressError';
// Shorter texts are in others by chance.
const shortestQuoted = 4;

/** Whether `error` comes from a call to another service, or was caused by one that does, and what of; `undefined` if not. */
export function foreignOutcome(error: unknown): ForeignOutcome | undefined {
  for (const each of causesOf(error)) {
    const outcome = outcomeOf(each);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}

/** Whether a text is what a client library reports on a connection: nothing that another service said. */
export function isTransportText(text: string): boolean {
  return foreignText.test(text);
}

/** Whether the text of `error` was taken over from another service or from what reports on the connection to it. */
export function quotesForeignText(text: string, error: Error): boolean {
  if (isTransportText(text)) return true;
  if (error.cause === undefined) return false;
  for (const cause of causesOf(error.cause)) {
    if (outcomeOf(cause) === undefined) continue;
    for (const quoted of [cause['details'], cause['rawMessage'], cause['message']]) {
      if (typeof quoted === 'string' && quoted.length >= shortestQuoted && text.includes(quoted)) return true;
    }
  }
  return false;
}

/** Address or name of the other service, where the error or one of its causes has it; without path, user and password. */
export function upstreamOf(error: unknown): string | undefined {
  for (const each of causesOf(error)) {
    const { peer, address, port, hostname, config, response, url } = each;
    if (typeof peer === 'string') return peer;
    if (typeof address === 'string') return typeof port === 'number' ? `${address}:${port}` : address;
    if (typeof hostname === 'string') return hostname;
    for (const { baseURL, url: asked } of [fieldsOf(config), { url }, fieldsOf(response)]) {
      const host = hostOf(asked) ?? hostOf(baseURL);
      if (host !== undefined) return host;
    }
  }
  return undefined;
}

/** Whether Fastify itself made `error`. By its brand: an HTTP client's error may have another Fastify's `code` and `statusCode`. */
export function isFastifyError(error: unknown): error is Error {
  // Those of @fastify/compress have a name of their own instead.
  return error instanceof Error && (Symbol.for('fastify-error-generic') in error || error.name === compressErrorName);
}

/** The nearest declared error among the causes of `error`. */
export function declaredCause(error: unknown): RookeryError | undefined {
  for (const each of causesOf(error)) if (RookeryError.is(each)) return each;
  return undefined;
}

function outcomeOf(error: Fields): ForeignOutcome | undefined {
  if (RookeryError.is(error)) return error.origin === 'own' ? undefined : ofStatus(error.status);
  if (error instanceof HttpException) return undefined;
  return ofCall(error) ?? ofResponse(error) ?? ofConnection(error) ?? ofDatabase(error) ?? ofPlainStatus(error);
}

// grpc-js's `ServiceError` and the status object in it, and Connect's `ConnectError`.
function ofCall({ code, details, metadata, rawMessage }: Fields): ForeignOutcome | undefined {
  if (typeof code !== 'number' || code < 1 || code > Status.Unauthenticated) return undefined;
  const isGrpc = typeof details === 'string' && typeof metadata === 'object';
  return isGrpc || typeof rawMessage === 'string' ? ofStatus(code) : undefined;
}

// Clients of HTTP hang the response, or its absence, on the error.
function ofResponse({ response, isAxiosError }: Fields): ForeignOutcome | undefined {
  const { status, statusCode } = fieldsOf(response);
  const answered = typeof status === 'number' ? status : statusCode;
  if (typeof answered === 'number') return ofStatus(statusOfHttp(answered));
  return isAxiosError === true ? 'unavailable' : undefined;
}

function ofConnection({ code, name, message, syscall }: Fields): ForeignOutcome | undefined {
  if (name === 'TimeoutError' || name === 'AbortError') return 'late';
  if (typeof code === 'string' && (networkCodes.has(code) || networkCodePrefix.test(code))) return 'unavailable';
  if (typeof syscall === 'string' && networkCalls.test(syscall)) return 'unavailable';
  return name === 'TypeError' && message === 'fetch failed' ? 'unavailable' : undefined;
}

function ofDatabase({ code, severity, sqlState }: Fields): ForeignOutcome | undefined {
  const state = typeof severity === 'string' ? code : sqlState;
  return typeof state === 'string' && databaseOutage.test(state) ? 'unavailable' : undefined;
}

// Wrappers of HTTP clients copy the status. `expose` is the mark of http-errors, which are about the request at hand.
function ofPlainStatus(error: Fields): ForeignOutcome | undefined {
  const { statusCode, status, expose } = error;
  const copied = typeof statusCode === 'number' ? statusCode : status;
  if (!(error instanceof Error) || typeof copied !== 'number' || copied < 400 || copied > 599) return undefined;
  return typeof expose === 'boolean' || isFastifyError(error) ? undefined : ofStatus(statusOfHttp(copied));
}

function ofStatus(status: number): ForeignOutcome {
  if (status === Status.DeadlineExceeded || status === Status.Cancelled) return 'late';
  return status === Status.Unavailable || status === Status.ResourceExhausted ? 'unavailable' : 'failed';
}

// The error, its causes, and the errors inside of an aggregate or exception, the outermost first.
function* causesOf(error: unknown): Generator<Fields> {
  const open = [error];
  for (let count = 0; open.length > 0 && count < maxCauses; count += 1) {
    const each = open.shift();
    if (typeof each !== 'object' || each === null) continue;
    const fields: Fields = each;
    yield fields;
    const { cause, error: held, response } = fields;
    open.push(cause);
    // Nest's exceptions hold the error that they were made of.
    for (const inner of [held, response]) if (inner instanceof Error) open.push(inner);
    if (each instanceof AggregateError) open.push(...(each.errors as unknown[]).slice(0, maxCauses));
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? value : {};
}

function hostOf(url: unknown): string | undefined {
  return typeof url === 'string' ? (URL.parse(url)?.host ?? undefined) : undefined;
}
