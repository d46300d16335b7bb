import { EncodeError } from './encode-error.js';

/** What may stand in a field besides a value of its type. */
const absentIfNullish = 1;
export const absentIfZero = 2;
const arrayIsBytes = 4;

/** @throws Error naming the field */
export function fail(field: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new EncodeError(field, `cannot encode field ${field} to binary: ${reason}`, { cause });
}

export function isAbsent(value: unknown, may: number): boolean {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return true;
  // oxlint-disable-next-line eslint/eqeqeq -- 0n, "0", "" and false are zero too
  return (may & absentIfZero) !== 0 && value == 0;
}

/**
 * Readers of unusual values: what is not of the field's own type but still allowed, and what is not. They give
 * `undefined` where there is nothing to write.
 */
function unusualText(value: unknown, may: number, field: string): string | undefined {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return undefined;
  try {
    return String(value);
  } catch (error) {
    fail(field, error);
  }
}

function unusualBool(value: unknown, may: number): boolean | undefined {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return undefined;
  return Boolean(value);
}

function integer(value: unknown, type: string, min: number, max: number, field: string): number {
  if (typeof value !== 'string' && typeof value !== 'number') fail(field, `invalid ${type}: ${typeof value}`);
  const number = Number(value);
  if (!Number.isInteger(number) || number < min || number > max) fail(field, `invalid ${type}: ${number}`);
  return number;
}

function unusualInt32(value: unknown, may: number, field: string): number | undefined {
  return isAbsent(value, may) ? undefined : integer(value, 'int32', -0x8000_0000, 0x7fff_ffff, field);
}

function unusualUint32(value: unknown, may: number, field: string): number | undefined {
  return isAbsent(value, may) ? undefined : integer(value, 'uint32', 0, 0xffff_ffff, field);
}

function unusualDouble(value: unknown, may: number, field: string): number | undefined {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return undefined;
  try {
    // Not Number(): a bigint is an error.
    return (value as number) * 1;
  } catch (error) {
    fail(field, error);
  }
}

function unusualFloat(value: unknown, may: number, field: string): number | undefined {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') fail(field, `invalid float32: ${typeof value}`);
  const number = Number(value);
  if (Number.isNaN(number) && typeof value === 'string' && value !== 'NaN') fail(field, `invalid float32: ${value}`);
  if (Number.isFinite(number) && !Number.isFinite(Math.fround(number))) fail(field, `invalid float32: ${number}`);
  return number;
}

function unusualBytes(value: unknown, may: number, field: string): Uint8Array | undefined {
  if ((may & absentIfNullish) !== 0 && (value === undefined || value === null)) return undefined;
  if ((may & arrayIsBytes) !== 0 && Array.isArray(value)) return new Uint8Array(value as number[]);
  // A Uint8Array of another realm, and what else has one byte for each element.
  if (ArrayBuffer.isView(value) && (value as Uint8Array).BYTES_PER_ELEMENT === 1)
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  fail(field, `invalid bytes: ${typeof value}`);
}

/** What generated encoders call for a value that is not of its field's own type. */
export const unusual = {
  unusualText,
  unusualBool,
  unusualInt32,
  unusualUint32,
  unusualDouble,
  unusualFloat,
  unusualBytes,
};
