// The requests of the loads and the answers they must get, and the framing of gRPC around them.
import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../scripts/tools.mjs';

const generated = pathToFileURL(join(ROOT, '.cache/bench/js/gen/bench/v1/bench_pb.js')).href;

/** @returns {Promise<typeof import('./gen/bench/v1/bench_pb.js')>} there after the build */
function schemas() {
  return import(generated);
}

export const user = {
  displayName: 'Alice',
  id: '1',
  email: 'alice@example.com',
  role: 'developer',
  age: 34,
  createdAt: '2026-01-01T00:00:00Z',
};

export const newUser = {
  displayName: 'Bob',
  email: 'bob@example.com',
  role: 'viewer',
  age: 41,
  newsletter: true,
  address: { street: 'Main Street 1', city: 'Springfield', postalCode: '12345' },
};

export const chunkBytes = 1024;
export const chunksPerStream = 100;
export const echoBytes = 64 * 1024;

/**
 * @param {Uint8Array} message
 * @returns {Buffer} one length-prefixed message
 */
function framed(message) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}

/**
 * @param {Buffer} bytes
 * @returns {Buffer[]} the messages in it
 */
export function unframed(bytes) {
  const messages = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    if (bytes[at] !== 0 || at + 5 + length > bytes.length) throw new Error(`not a gRPC body: message at byte ${at}`);
    messages.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return messages;
}

/** @param {string} id */
export async function getUserRequest(id) {
  const { GetUserRequestSchema } = await schemas();
  return framed(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id })));
}

export async function streamRequest() {
  const { StreamRequestSchema } = await schemas();
  return framed(toBinary(StreamRequestSchema, create(StreamRequestSchema, { count: chunksPerStream })));
}

export async function echoRequest() {
  const { ChunkSchema } = await schemas();
  return framed(toBinary(ChunkSchema, create(ChunkSchema, { payload: new Uint8Array(echoBytes).fill(0x78) })));
}

/** @param {Buffer} message */
export async function userOf(message) {
  const { UserSchema } = await schemas();
  return toJson(UserSchema, fromBinary(UserSchema, message));
}

/** @param {Buffer} message */
export async function payloadOf(message) {
  const { ChunkSchema } = await schemas();
  return fromBinary(ChunkSchema, message).payload;
}
