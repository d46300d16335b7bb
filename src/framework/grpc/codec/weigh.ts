import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { isJsonStruct } from './well-known-fields.js';
import { longestScalar, wireTypeOf } from './scalar-source.js';
import { budget, chargeEntry, cost, messageCost, tooDeep, tooMany } from './work-budget.js';
import { cursor, endOfInput, longTag, skip, skipVarint, varint32 } from './wire-reader.js';

interface Plan {
  readonly cost: number;
  readonly fields: ReadonlyMap<number, DescField>;
}

const plans = new WeakMap<DescMessage, Plan>();

function planOf(desc: DescMessage): Plan {
  let plan = plans.get(desc);
  if (plan === undefined) {
    plan = { cost: messageCost(create(desc)), fields: new Map(desc.fields.map((field) => [field.number, field])) };
    plans.set(desc, plan);
  }
  return plan;
}

function charge(bytes: number): void {
  if ((budget.left -= bytes) < 0) tooMany();
}

/**
 * Charges what protobuf-es will make of a message, before it does: for processes in which no decoder can be generated.
 * It reads as they do, and so costs a second look at each byte.
 *
 * @returns the position behind the last field
 * @throws TooManyElementsError
 * @throws MessageTooDeepError
 * @throws Error the message cannot be read
 */
export function weigh(desc: DescMessage, bytes: Buffer, start: number, end: number, depth = 1, group = 0): number {
  if (depth > budget.depth) tooDeep();
  const { fields } = planOf(desc);
  const limit = bytes.length;
  const frame: Frame = { depth, records: undefined };
  let structs = 0;
  let pos = start;
  while (pos < end) {
    const tag = longTag(bytes, pos, limit);
    pos = cursor.pos;
    if (group !== 0 && (tag & 7) === 4) return pos;
    const field = fields.get(tag >>> 3);
    if (field === undefined) {
      pos = skip(bytes, pos, limit, tag, budget.depth - depth);
      if (budget.unknown > 0) charge(cost.unknown + cost.firstUnknown);
      continue;
    }
    const before = budget.left;
    pos = weighField(field, bytes, pos, tag, frame);
    // A Struct that comes again is merged by way of all that came before.
    if (field.message !== undefined && isJsonStruct({ ...field, message: field.message })) {
      structs += before - budget.left;
      charge(structs);
    }
  }
  return pos;
}

/** One message on the way. */
interface Frame {
  readonly depth: number;
  /** What stands for the object of each map field. */
  records: Map<DescField, object> | undefined;
}

function weighField(field: DescField, bytes: Buffer, pos: number, tag: number, frame: Frame): number {
  const { depth } = frame;
  switch (field.fieldKind) {
    case 'scalar':
      return weighScalar(field.scalar, bytes, pos);
    case 'enum':
      // A number that a closed enum does not have is kept as an unknown field.
      if (!field.enum.open) charge(cost.unknown + cost.firstUnknown);
      return weighScalar(ScalarType.INT32, bytes, pos);
    case 'message':
      return weighMessage(field, bytes, pos, depth);
    case 'list':
      if (field.listKind === 'message') {
        charge(cost.item);
        return weighMessage(field, bytes, pos, depth);
      }
      return weighItems(field.listKind === 'enum' ? ScalarType.INT32 : field.scalar, bytes, pos, tag);
    case 'map':
      return weighEntry(field, bytes, pos, frame);
  }
}

function weighMessage(
  field: DescField & { message: DescMessage; delimitedEncoding?: boolean | undefined },
  bytes: Buffer,
  pos: number,
  depth: number,
): number {
  charge(planOf(field.message).cost + cost.firstItem);
  if (field.delimitedEncoding) return weigh(field.message, bytes, pos, bytes.length, depth + 1, field.number);
  const size = lengthAt(bytes, pos);
  return weigh(field.message, bytes, cursor.pos, cursor.pos + size, depth + 1);
}

function weighItems(type: ScalarType, bytes: Buffer, start: number, tag: number): number {
  const isText = type === ScalarType.STRING || type === ScalarType.BYTES;
  const itemCost = cost.item + (isText ? cost.text : cost.long);
  if (isText || (tag & 7) !== 2) {
    charge(itemCost);
    return weighScalar(type, bytes, start);
  }
  const size = lengthAt(bytes, start);
  let pos = cursor.pos;
  for (const end = pos + size; pos < end; ) {
    charge(itemCost);
    pos = weighScalar(type, bytes, pos);
  }
  return pos;
}

function weighEntry(field: DescField & { fieldKind: 'map' }, bytes: Buffer, start: number, frame: Frame): number {
  const { depth } = frame;
  const size = lengthAt(bytes, start);
  let pos = cursor.pos;
  let key: unknown;
  for (const end = pos + size; pos < end; ) {
    const tag = longTag(bytes, pos, bytes.length);
    pos = cursor.pos;
    if (tag >>> 3 === 1) {
      const from = pos;
      pos = weighScalar(field.mapKey, bytes, from);
      key = keyAt(field.mapKey, bytes, from, pos);
    } else if (tag >>> 3 !== 2) pos = skip(bytes, pos, bytes.length, tag, budget.depth - depth);
    else if (field.message !== undefined) pos = weighMessage({ ...field, message: field.message }, bytes, pos, depth);
    else pos = weighScalar(field.mapKind === 'enum' ? ScalarType.INT32 : field.scalar, bytes, pos);
  }
  if (field.message !== undefined) charge(planOf(field.message).cost);
  frame.records ??= new Map();
  const record = frame.records.get(field) ?? {};
  frame.records.set(field, record);
  chargeEntry(record, key);
  return pos;
}

// Enough of a key to tell whether it is an array index.
function keyAt(type: ScalarType, bytes: Buffer, start: number, end: number): unknown {
  if (type === ScalarType.STRING) return bytes.toString('latin1', start + 1, Math.min(end, start + 11));
  if (wireTypeOf(type) !== 0) return bytes.readUInt32LE(start);
  const number = varint32(bytes, start, end);
  return type === ScalarType.SINT32 || type === ScalarType.SINT64 ? number >>> 1 : number;
}

function weighScalar(type: ScalarType, bytes: Buffer, start: number): number {
  let pos = start;
  if (type === ScalarType.STRING || type === ScalarType.BYTES) {
    const size = lengthAt(bytes, pos);
    if (type === ScalarType.BYTES && size > 0) charge(cost.bytes);
    pos = cursor.pos + size;
  } else if (wireTypeOf(type) === 0) pos = skipVarint(bytes, pos, bytes.length);
  else pos += longestScalar(type) === 4 ? 4 : 8;
  if (pos > bytes.length) endOfInput();
  return pos;
}

function lengthAt(bytes: Buffer, pos: number): number {
  const size = varint32(bytes, pos, bytes.length);
  if (cursor.pos + size > bytes.length) endOfInput();
  return size;
}
