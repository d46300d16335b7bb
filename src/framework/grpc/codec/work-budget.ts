import { MessageTooDeepError, TooManyElementsError } from '../../pipeline/index.js';

/** What decoding one message may take; `LimitOptions` is one. */
export interface DecodeLimits {
  /** Elements of `elementBytes` each. */
  readonly maxMessageElements: number;
  /** Levels of messages and groups, the outermost counted. */
  readonly maxMessageDepth: number;
}

/** Memory that one element stands for: a nested message of about five fields. */
const elementBytes = 64;

// A message whose bytes are few has room for 16 384 elements; each byte adds a share, so that the memory of a message is
// linear in its size also below the limit. Contents that peers send need 3 to 12 bytes of memory per byte.
const freeBytes = 1_048_576;
const bytesPerByte = 24;

// The number stays a small integer of V8, which is stored without an allocation.
const mostBytes = 2 ** 30;

/** For messages that this process asked for: 100 levels, as `fromBinary` has it. */
export const unlimited: DecodeLimits = { maxMessageElements: Number.POSITIVE_INFINITY, maxMessageDepth: 100 };

/**
 * What is left for the message that is being decoded. Decoding is synchronous, so there is one budget. Generated decoders
 * subtract what an element takes in memory before they make it; `tooMany()` and `tooDeep()` say why they stop.
 *
 * Singular numbers and strings are not charged: they take at most 12 bytes of memory per byte of the message.
 */
export const budget = {
  /** Memory in bytes. */
  left: mostBytes,
  /** Deepest level. */
  depth: unlimited.maxMessageDepth,
  /** Unknown fields that are still kept; others are skipped. */
  unknown: mostBytes,
  /** Elements allowed, for the error. */
  elements: 0,
};

/**
 * Begins a message.
 *
 * @param size             its bytes
 * @param maxUnknownFields how many unknown fields are kept
 */
export function openBudget(size: number, limits: DecodeLimits, maxUnknownFields: number): void {
  const most = limits.maxMessageElements * elementBytes;
  const linear = freeBytes + bytesPerByte * size;
  const left = most < linear ? most : linear;
  budget.left = limits.maxMessageElements < mostBytes && left < mostBytes ? left : mostBytes;
  budget.elements = budget.left;
  budget.depth = limits.maxMessageDepth;
  budget.unknown = maxUnknownFields < mostBytes ? maxUnknownFields : mostBytes;
  growing = undefined;
}

/** @throws TooManyElementsError */
export function tooMany(): never {
  throw new TooManyElementsError(Math.floor(budget.elements / elementBytes));
}

/** @throws MessageTooDeepError */
export function tooDeep(): never {
  throw new MessageTooDeepError(budget.depth);
}

/** What elements take in memory, in bytes: measured with Node 24 on 64 bits, without pointer compression. */
export const cost = {
  /** The first element of an array makes room for 17. */
  firstItem: 152,
  /** A place in an array that grows by half: 8 bytes, and 4 for those that are still empty. */
  item: 12,
  /** A property that an object gets after it was made. */
  property: 32,
  /** A BigInt, or a number as text, besides its place. */
  long: 24,
  text: 32,
  /** A view of the input. */
  bytes: 104,
  /** An entry of an object that is a hash table, with its key. */
  entry: 112,
  /** The hidden class that the first entry of an object may need. */
  firstEntry: 200,
  /** A field that is skipped takes no memory, but as much time as one that is read: it is one element. */
  skipped: elementBytes,
  /** Four times what it takes: there is no use for many, and each has to be looked at again. */
  unknown: 640,
  /** The list of unknown fields, and the property that holds it. */
  firstUnknown: 240,
} as const;

/** Memory that an empty message takes, with its lists, maps and oneofs. */
export function messageCost(sample: object): number {
  let bytes = 24;
  for (const value of Object.values(sample) as unknown[]) {
    bytes += 8;
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) continue;
    // An object with a `case` is replaced by another when a field of the oneof is read.
    bytes += Array.isArray(value) ? 40 : 80;
  }
  return bytes;
}

/** Property names up to this distance from the end of an object's elements make V8 lengthen the array they are kept in. */
const maxGap = 1024;

let growing: object | undefined;
let capacity = 0;

/**
 * Charges an entry of a map field.
 *
 * Keys that are array indices are kept in an array as long as the largest: `{ 1000: x }` takes 12 KiB. The entries of one
 * map follow each other, so one array is accounted for at a time.
 */
export function chargeEntry(record: object, key: unknown): void {
  let bytes: number = cost.entry;
  const index = typeof key === 'string' ? indexOf(key) : typeof key === 'number' ? key : -1;
  if (record !== growing) {
    growing = record;
    capacity = 0;
    bytes += cost.firstEntry;
  }
  if (index >= 0) {
    if (index >= capacity && index < capacity + maxGap) {
      capacity = index + (index >> 1) + 16;
      bytes += capacity * 8;
    }
  }
  if ((budget.left -= bytes) < 0) tooMany();
}

/** Ends a message: nothing of it is held. */
export function closeBudget(): void {
  growing = undefined;
}

function indexOf(key: string): number {
  const first = key.charCodeAt(0);
  return key.length < 10 && first >= 0x30 && first <= 0x39 ? Number(key) : -1;
}
