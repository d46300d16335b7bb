import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DescMessage } from '@bufbuild/protobuf';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it, vi } from 'vitest';
import { editionMessages, proto2Messages, proto3Messages } from '../support/all-kinds-proto.js';
import { delimited, HostileMessages, randomOf, repeatedTo, tag, varint } from '../support/hostile-messages.js';
import { ServerReflectionRequestSchema } from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';
import { UserSchema } from '../../src/gen/user/service/v1/user_pb.js';
import { LimitOptions, MessageTooDeepError, TooManyElementsError } from '../../src/framework/pipeline/index.js';
import { Base64Reader } from '../../src/framework/grpc/grpc-web/base64.js';
import { Metadata } from '../../src/framework/grpc/metadata.js';
import { codecOf, type MessageCodec } from '../../src/framework/grpc/codec/message-codec.js';

const limits = new LimitOptions();
const descs: DescMessage[] = [
  ...[...proto3Messages, ...proto2Messages, ...editionMessages],
  ...[StructSchema, ValueSchema, StatusSchema, UserSchema, ServerReflectionRequestSchema],
];
const descOf = (name: string): DescMessage => descs.find(({ typeName }) => typeName === `allkinds.three.${name}`)!;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

// What docs/security.md states of a decoder.
// Up to 80 were seen, on two cores of a shared machine.
const nsPerByte = 100;
const freeNs = 1_000_000;
const bytesPerByte = 32;
const freeBytes = 1_572_864;

const count = 10_000;
const attempts = 8;

/** CPU time of this thread, whatever else the machine does. */
function cpuNs(run: () => void): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) * 1000;
}

function heapBytes(): number {
  return getHeapStatistics().used_heap_size;
}

function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

/** What a run costs: the least of several, as it is slower at first and while others use the machine. */
function leastNs(run: () => unknown, allowedNs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tried = 0; tried < attempts && least > allowedNs; tried++) least = Math.min(least, cpuNs(run));
  return least;
}

/** More than what was in use at any time. */
function allocatedBytes(run: () => unknown): number {
  for (let tried = 0; tried < attempts; tried++) {
    const before = heapBytes();
    run();
    const allocated = heapBytes() - before;
    // Garbage was collected in between.
    if (allocated >= 0) return allocated;
  }
  return Number.POSITIVE_INFINITY;
}

function keptBytes(run: () => unknown): number {
  collectGarbage();
  const before = heapBytes();
  const kept = [run()];
  collectGarbage();
  return heapBytes() - before - kept.length;
}

/** What a run takes beyond what is stated of `size` bytes; `undefined` for nothing. */
function excess(size: number, decode: () => unknown): object | undefined {
  const run = (): unknown => attempt(decode);
  const allowedNs = freeNs + nsPerByte * size;
  const allowedBytes = freeBytes + bytesPerByte * size;
  const ns = leastNs(run, allowedNs);
  // Where all that is allocated is too much, only what is kept counts: the rest is garbage at once.
  const allocated = allocatedBytes(run);
  const bytes = allocated > allowedBytes ? keptBytes(run) : allocated;
  return ns > allowedNs || bytes > allowedBytes ? { size, ns, bytes } : undefined;
}

describe('decoding', () => {
  it(`costs a bounded time and memory per byte, for ${count} hostile messages`, { timeout: 600_000 }, () => {
    const random = randomOf(20_261_130);
    const messages = new HostileMessages(random);
    const suspects: { readonly told: object; readonly again: () => object | undefined }[] = [];
    for (let index = 0; index < count; index++) {
      const desc = descs[index % descs.length] as DescMessage;
      // From 64 bytes to 256 KiB, most of them small; a few as large as a message may be.
      const size = index % 500 === 0 ? limits.maxBodyBytes : Math.floor(64 * 2 ** (12 * random() ** 4));
      const bytes = messages.of(desc, size);
      const maxUnknownFields = [0, 32, Number.POSITIVE_INFINITY][index % 3] as number;
      const again = (): object | undefined =>
        excess(bytes.length, () => codecOf(desc).decode(bytes, 0, bytes.length, limits, maxUnknownFields));
      const told = { index, type: desc.typeName, start: bytes.toString('hex', 0, 60) };
      if (again() !== undefined) suspects.push({ told, again });
    }

    // Once more when all else is done: what was slow because others use the machine is not slow for ever.
    const dear = suspects.flatMap(({ told, again }) => {
      const found = again() && again();
      return found === undefined ? [] : [{ ...told, ...found }];
    });
    expect(dear).toEqual([]);
  });

  it('of base64 costs no more where each byte is padded', () => {
    const text = repeatedTo(262_144, Buffer.from('eA=='));

    expect(excess(text.length, () => new Base64Reader().read(text))).toBeUndefined();
  });

  it('of metadata costs no more where a header has thousands of values', () => {
    for (const value of [',', 'AA,', 'AAAA,']) {
      const header = value.repeat(16_384 / value.length);
      const headers = [['trace-bin', header]] as unknown as Parameters<typeof Metadata.fromHeaders>[0];

      expect(excess(header.length, () => Metadata.fromHeaders(headers).get('trace-bin'))).toBeUndefined();
    }
  });
});

const struct = (key: string): Buffer =>
  delimited(7, delimited(1, Buffer.concat([delimited(1, Buffer.from(key)), delimited(2, Buffer.from([0x20, 1]))])));
const nested = (depth: number): Buffer =>
  Array.from({ length: depth - 1 }).reduce<Buffer>((inner) => delimited(1, inner), Buffer.alloc(0));

async function plainCodecOf(): Promise<typeof codecOf> {
  vi.resetModules();
  const { codecOf: fresh } = await import('../../src/framework/grpc/codec/message-codec.js');
  return fresh;
}

/** The codec of a type, as it is where code can be generated from strings and where it cannot. */
async function codecs(desc: DescMessage): Promise<MessageCodec[]> {
  const fresh = await plainCodecOf();
  vi.stubGlobal('Function', function forbidden() {
    throw new EvalError('Code generation from strings disallowed for this context');
  });
  try {
    return [codecOf(desc), fresh(desc)];
  } finally {
    vi.unstubAllGlobals();
  }
}

const reasonOf = (error: unknown): unknown => (error as { reason?: unknown }).reason;

describe('a message', () => {
  it.each<readonly [string, string, Buffer]>([
    ['unknown fields', 'Nested', repeatedTo(400_000, Buffer.from([0x78, 0x01]))],
    ['empty messages in a list', 'Nested', repeatedTo(1_000_000, Buffer.from([0x12, 0x00]))],
    ['members of a oneof in turn', 'Nested', repeatedTo(1_000_000, Buffer.from([0x22, 0x00, 0x28, 0x00]))],
    ['empty texts in a list', 'Expanded', repeatedTo(1_000_000, delimited(3008, Buffer.alloc(0)))],
    ['maps whose one key is a far index', 'Maps', repeatedTo(200_000, delimited(132, delimited(2, Buffer.alloc(0))))],
  ])('with too many %s is refused, with and without generated decoders', async (_, type, bytes) => {
    for (const codec of await codecs(descOf(type))) {
      const error = attempt(() => codec.decode(bytes, 0, bytes.length, { ...limits, maxMessageElements: 1000 }));

      expect(reasonOf(error)).toBe(TooManyElementsError.reason);
      expect((error as Error).message).toBe('request message with more than 1000 elements');
    }
  });

  it('nested deeper than the limit is refused, and at the limit taken, with and without generated decoders', async () => {
    for (const codec of await codecs(descOf('Nested'))) {
      const decode = (depth: number, most: number): unknown =>
        attempt(() => codec.decode(nested(depth), 0, undefined, { ...limits, maxMessageDepth: most }));

      expect(reasonOf(decode(100, 100))).toBeUndefined();
      expect(reasonOf(decode(101, 100))).toBe(MessageTooDeepError.reason);
      expect(reasonOf(decode(11, 10))).toBe(MessageTooDeepError.reason);
      expect(reasonOf(decode(150, 150))).toBeUndefined();
    }
  });

  it('keeps as many unknown fields as are wanted, and skips the others', () => {
    const bytes = repeatedTo(2000, Buffer.concat([tag(15, 0), varint(1)]));
    const kept = [0, 32, Number.POSITIVE_INFINITY].map(
      (most) => codecOf(descOf('Nested')).decode(bytes, 0, bytes.length, limits, most).$unknown?.length,
    );

    expect(kept).toEqual([undefined, 32, 1000]);
  });

  it('with a Struct that comes again and again is merged at the cost of what is new', () => {
    const many = Buffer.concat(Array.from({ length: 3000 }, (_, index) => struct(`k${index}`)));
    const codec = codecOf(descOf('WellKnown'));

    const message = codec.decode(many) as unknown as { oneStruct: Record<string, unknown> };

    expect(Object.keys(message.oneStruct)).toHaveLength(3000);
    expect(excess(many.length, () => codec.decode(many, 0, many.length, limits))).toBeUndefined();
  });

  it.each(['\u{fffd}', 'a\u{fffd}b\u{fffd}', '\u{fffd}'.repeat(300)])('may hold the character U+FFFD (%#)', (text) => {
    const bytes = delimited(3, Buffer.from(text));
    const broken = delimited(3, Buffer.concat([Buffer.from(text), Buffer.from([0xc0])]));

    expect(codecOf(descOf('Nested')).decode(bytes)).toMatchObject({ text });
    expect(() => codecOf(descOf('Nested')).decode(broken)).toThrow(/encoded data/);
  });
});
