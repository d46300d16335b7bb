import { anyPack, AnySchema } from '@bufbuild/protobuf/wkt';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type BadRequest,
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import type { CallFailure } from './handler-failure.js';
import { encodeBinary, type Metadata } from './metadata.js';
import { type Http2Fields, listBytes, precompute } from '../http2/index.js';
import type { OutgoingFields } from './server-stream.js';
import type { StatusDetail } from './status-error.js';

// Clients built on the C core refuse 16 KiB of metadata: details and message together stay well below, base64 included.
const maxDetailsBytes = 6144;
const maxMessageLength = 1024;

const detailsName = 'grpc-status-details-bin';
const detailsFieldBytes = listBytes([{ name: detailsName, value: '' }]);

const okTrailersBlock = precompute([{ name: 'grpc-status', value: '0' }]);

/** The trailers of a call that succeeded. */
export function okTrailers(custom: Metadata | undefined): Http2Fields {
  if (custom === undefined) return okTrailersBlock;
  const trailers: OutgoingFields = [{ name: 'grpc-status', value: '0' }];
  custom.writeTo(trailers);
  return trailers;
}

/**
 * The trailers that tell `failure`: status, message, and details: its own, or else those of google.rpc.
 *
 * @param maxListBytes  what there is room for: details are left out first, then `custom`, then the end of the message
 */
export function failureTrailers(
  failure: CallFailure,
  requestId: string,
  domain: string,
  custom: Metadata | undefined,
  maxListBytes: number,
): OutgoingFields {
  const message =
    failure.message.length > maxMessageLength ? `${failure.message.slice(0, maxMessageLength)}…` : failure.message;
  const trailers = statusFields(failure.status, message, maxListBytes);
  const own: OutgoingFields = [];
  custom?.writeTo(own);
  const room = maxListBytes - listBytes(trailers);
  const roomBesides = room - listBytes(own);
  const maxBytes = Math.min(maxDetailsBytes, Math.floor((Math.max(roomBesides, 0) - detailsFieldBytes) * (3 / 4)));
  const bytes = details({ ...failure, message }, requestId, domain, maxBytes);
  if (bytes !== undefined) trailers.push({ name: detailsName, value: encodeBinary(bytes) });
  return roomBesides >= 0 ? [...trailers, ...own] : trailers;
}

function statusFields(status: number, message: string, maxListBytes: number): OutgoingFields {
  const fields: OutgoingFields = [
    { name: 'grpc-status', value: String(status) },
    { name: 'grpc-message', value: percentEncode(message) },
  ];
  if (message === '' || listBytes(fields) <= maxListBytes) return fields;
  return statusFields(status, message.slice(0, message.length >> 1), maxListBytes);
}

function details(failure: CallFailure, requestId: string, domain: string, maxBytes: number): Uint8Array | undefined {
  if (failure.details !== undefined) return ownDetails(failure, failure.details, maxBytes);
  for (let violations = failure.violations.length; ; violations >>= 1) {
    const bytes = detailsWith(failure, violations, requestId, domain);
    if (bytes.length <= maxBytes) return bytes;
    if (violations > 0) continue;
    const least = detailsWith({ ...failure, metadata: {} }, 0, requestId, domain);
    return least.length <= maxBytes ? least : undefined;
  }
}

function ownDetails(failure: CallFailure, all: readonly StatusDetail[], maxBytes: number): Uint8Array | undefined {
  for (let count = all.length; count > 0; count -= 1) {
    const packed = all.slice(0, count).map(({ typeUrl, value }) => create(AnySchema, { typeUrl, value }));
    const bytes = toBinary(
      StatusSchema,
      create(StatusSchema, { code: failure.status, message: failure.message, details: packed }),
    );
    if (bytes.length <= maxBytes) return bytes;
  }
  return undefined;
}

function detailsWith(failure: CallFailure, violationCount: number, requestId: string, domain: string): Uint8Array {
  const { reason, metadata, retryAfterMs } = failure;
  const packed = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain, metadata: { ...metadata } }))];
  if (violationCount > 0) packed.push(anyPack(BadRequestSchema, badRequest(failure, violationCount)));
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const retryDelay = { seconds: BigInt(seconds), nanos: Math.round((retryAfterMs - seconds * 1000) * 1_000_000) };
    packed.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  packed.push(anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId })));
  return toBinary(
    StatusSchema,
    create(StatusSchema, { code: failure.status, message: failure.message, details: packed }),
  );
}

function badRequest(failure: CallFailure, count: number): BadRequest {
  return create(BadRequestSchema, {
    fieldViolations: failure.violations.slice(0, count).map(({ field, rule, message }) => ({
      field: field,
      description: message,
      reason: upperSnake(rule),
    })),
  });
}

function upperSnake(rule: string): string {
  return rule
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9_]/g, '_');
}

/**
 * Percent-encodes for `grpc-message`: all bytes of UTF-8 but the printable ASCII ones, the percent sign, and a space at
 * either end, which HTTP/2 does not carry.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md#responses
 */
export function percentEncode(message: string): string {
  if (/^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/.test(message)) return message;
  let encoded = '';
  const bytes = Buffer.from(message);
  for (const [at, byte] of bytes.entries()) {
    const isAtEnd = at === 0 || at === bytes.length - 1;
    const isPlain = byte >= (isAtEnd ? 0x21 : 0x20) && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
