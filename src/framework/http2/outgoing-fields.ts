import { FieldKind, fieldKind, isFieldValue, isLatin1 } from './field-rules.js';
import type { HeaderField } from './hpack/index.js';
import { Http2HeaderError } from './http2.errors.js';

const finalStatus = /^[2-9]\d\d$/;
const interimStatus = /^1\d\d$/;

/** What a block of fields begins with. */
export const Opening = { final: 0, interim: 1, trailers: 2 } as const;

/**
 * Refuses what a server must not send: RFC 9113 sections 8.2 and 8.3.2.
 *
 * @throws Http2HeaderError
 */
export function checkOutgoing(fields: readonly HeaderField[], opening: number): void {
  if (opening !== Opening.trailers) checkStatus(fields[0], opening === Opening.interim ? interimStatus : finalStatus);
  checkFields(fields, opening === Opening.trailers ? 0 : 1);
}

const checked = new WeakSet<readonly HeaderField[]>();

/**
 * The same for response headers in two parts, of which the first is looked at once.
 *
 * @throws Http2HeaderError
 */
export function checkOutgoingWith(fixed: readonly HeaderField[], fields: readonly HeaderField[]): void {
  if (!checked.has(fixed)) {
    checkOutgoing(fixed, Opening.final);
    checked.add(fixed);
  }
  checkFields(fields, 0);
}

function checkFields(fields: readonly HeaderField[], from: number): void {
  for (let i = from; i < fields.length; i += 1) {
    const field = fields[i] as HeaderField;
    const kind = fieldKind(field.name);
    if (kind === FieldKind.malformed || (kind >= FieldKind.method && kind <= FieldKind.connectionSpecific)) {
      throw new Http2HeaderError(
        `field name: ${JSON.stringify(field.name)} (expected: one that HTTP/2 can carry, in lower case)`,
      );
    }
    if (!isFieldValue(field.value) || !isLatin1(field.value)) {
      throw new Http2HeaderError(`value of ${field.name}: has characters that a header field cannot carry`);
    }
  }
}

function checkStatus(field: HeaderField | undefined, expected: RegExp): void {
  if (field?.name === ':status' && (field.value === '200' || expected.test(field.value))) {
    if (field.value !== '200' || expected === finalStatus) return;
  }
  throw new Http2HeaderError(`first field: ${field?.name ?? 'none'} (expected: :status matching ${expected.source})`);
}
