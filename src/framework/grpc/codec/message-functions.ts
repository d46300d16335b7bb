import { create, type DescMessage } from '@bufbuild/protobuf';
import { decoderSource, groupDecoderSource, quote } from './decoder-source.js';
import { encoderSource } from './encoder-source.js';
import type { FrameSlab } from './frame-slab.js';
import { References } from './references.js';
import { createWireReader } from './wire-reader.js';
import { wireWriter } from './wire-writer.js';

type Fields = Record<string, unknown>;
type Make = () => Fields;
type Read = (message: Fields, bytes: Buffer, pos: number, end: number, limit: number, depth: number) => number;
type ReadGroup = (message: Fields, bytes: Buffer, pos: number, limit: number, depth: number, no: number) => number;
type Write = (out: FrameSlab, value: object, pos: number, isInit: boolean) => number;

/** What generated functions find by name. */
let wire: Record<string, unknown> | undefined;

/** Functions for one message type. Each is generated at its first call, so that types may refer to each other. */
export class MessageFunctions {
  /** A message without any field set. */
  make: Make = () => (this.make = generate<Make>(...makerSource(this.#desc)))();

  /** Reads fields in [pos, end) into a message; returns the position behind the last. */
  read: Read = (...args) => (this.read = this.#generate<Read>(decoderSource))(...args);

  /** The same in delimited encoding, until the end tag of field `no`. */
  readGroup: ReadGroup = (...args) => (this.readGroup = this.#generate<ReadGroup>(groupDecoderSource))(...args);

  /** Writes a message, or with `isInit` what `create` would make one of; returns the position behind it. */
  write: Write = (...args) => (this.write = this.#generate<Write>(encoderSource))(...args);

  readonly #desc: DescMessage;

  constructor(desc: DescMessage) {
    this.#desc = desc;
  }

  #generate<F>(source: (desc: DescMessage, refs: References) => string): F {
    const refs = new References(functionsOf);
    const text = source(this.#desc, refs);
    return generate<F>(`${refs.prelude} return ${text};`, refs.values);
  }
}

const known = new WeakMap<DescMessage, MessageFunctions>();

/** The functions of a message type, one object for each. */
export function functionsOf(desc: DescMessage): MessageFunctions {
  let functions = known.get(desc);
  if (functions === undefined) {
    functions = new MessageFunctions(desc);
    known.set(desc, functions);
  }
  return functions;
}

/** @throws EvalError code generation from strings is forbidden */
function generate<F>(source: string, refs: readonly unknown[]): F {
  wire ??= { ...createWireReader(), ...wireWriter };
  const names = Object.keys(wire).join(', ');
  // Names out of descriptors are in the source as JSON text only.
  // oxlint-disable-next-line typescript/no-implied-eval
  const factory = new Function('wire', 'refs', `"use strict"; const { ${names} } = wire; ${source}`);
  return (factory as (...args: unknown[]) => F)(wire, refs);
}

/** A constructor with all fields in the order of `create`, whose instances are plain objects to anyone who looks. */
function makerSource(desc: DescMessage): [source: string, refs: unknown[]] {
  const sample = create(desc) as unknown as Fields;
  const assignments = Object.entries(sample).map(([name, value], index) => {
    return `this[${quote(name)}] = ${isFresh(value) ? freshSource(value) : `values[${index}]`};`;
  });
  const source = `const [values, prototype] = refs; function Message() { ${assignments.join(' ')} }
    Message.prototype = prototype; return () => new Message();`;
  return [source, [Object.values(sample), Object.getPrototypeOf(sample) as unknown]];
}

/** Whether each message has its own value: a list, a map or a oneof. */
function isFresh(value: unknown): value is object {
  return typeof value === 'object' && !(value instanceof Uint8Array);
}

function freshSource(value: object): string {
  if (Array.isArray(value)) return '[]';
  return 'case' in value ? '{ case: undefined }' : '{}';
}
