// What is asked of a server, how many at a time, and what is the right answer.
import assert from 'node:assert/strict';
import { askHttp1, askHttp2 } from './probe.mjs';
import { benchToken } from './token.mjs';
import {
  chunkBytes,
  chunksPerStream,
  echoBytes,
  echoRequest,
  getUserRequest,
  newUser,
  payloadOf,
  streamRequest,
  unframed,
  user,
  userOf,
} from './wire.mjs';

/**
 * @typedef {import('./probe.mjs').Request} Request
 * @typedef {import('./probe.mjs').Answer} Answer
 */

/**
 * @typedef {object} Load
 * @property {string} title
 * @property {'http1' | 'http2'} protocol
 * @property {number} connections
 * @property {number} streams open at a time on each connection; 1 on HTTP/1.1
 * @property {number} perRequest units that a request counts for: messages of a stream, else 1
 * @property {number} warmUp requests before anything counts
 * @property {() => Promise<Request>} request
 * @property {(answer: Answer) => void | Promise<void>} check throws unless the answer is the right one
 * @property {() => Promise<Request>} wrong a request that must be refused, as generators count any 2xx as a success
 * @property {(answer: Answer) => void} checkWrong
 */

const grpcHeaders = { 'content-type': 'application/grpc', te: 'trailers' };

/**
 * @param {string} method
 * @param {() => Promise<Buffer>} body
 * @param {Record<string, string>} [headers]
 * @returns {() => Promise<Request>}
 */
function rpc(method, body, headers = {}) {
  return async () => ({
    method: 'POST',
    path: `/bench.v1.BenchService/${method}`,
    headers: { ...grpcHeaders, ...headers },
    body: await body(),
  });
}

/**
 * @param {string} path
 * @returns {() => Promise<Request>}
 */
function get(path) {
  return async () => ({ method: 'GET', path, headers: {}, body: undefined });
}

/**
 * @param {object} value
 * @returns {() => Promise<Request>}
 */
function post(value) {
  return async () => ({
    method: 'POST',
    path: '/api/v1/users',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  });
}

/** @param {Answer} answer */
function assertGrpcOk({ status, grpcStatus }) {
  assert.deepEqual({ status, grpcStatus }, { status: 200, grpcStatus: '0' });
}

/** @param {Answer} answer */
async function checkUserMessage(answer) {
  assertGrpcOk(answer);
  const messages = unframed(answer.body);
  assert.equal(messages.length, 1);
  assert.deepEqual(await userOf(messages[0] ?? Buffer.alloc(0)), user);
}

/** @param {Answer} answer */
function checkUserBody({ status, body }) {
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(body.toString()), { code: 200, data: user, message: 'success' });
}

/** @param {Answer} answer */
function checkCreatedBody({ status, body }) {
  assert.equal(status, 201);
  const { code, data, message } = JSON.parse(body.toString());
  const { id, ...rest } = data;
  assert.match(id, /^1\d{9}$/);
  assert.deepEqual({ code, data: rest, message }, { code: 201, data: newUser, message: 'success' });
}

/** @param {number} count @param {number} bytes @returns {(answer: Answer) => Promise<void>} */
function checkChunks(count, bytes) {
  return async (answer) => {
    assertGrpcOk(answer);
    const messages = unframed(answer.body);
    assert.equal(messages.length, count);
    for (const message of messages) {
      const payload = await payloadOf(message);
      assert.equal(payload.length, bytes);
      assert.ok(payload.every((byte) => byte === 0x78));
    }
  };
}

const unknownRpc = {
  wrong: rpc('GetUser', () => getUserRequest('9')),
  /** @param {Answer} answer */
  checkWrong: ({ status, grpcStatus }) => assert.deepEqual({ status, grpcStatus }, { status: 200, grpcStatus: '5' }),
};

const unknownRoute = {
  wrong: get('/api/v1/users/9'),
  /** @param {Answer} answer */
  checkWrong: ({ status }) => assert.equal(status, 404),
};

const invalidBody = {
  wrong: post({ ...newUser, email: 'nobody', age: 151, role: 'king', address: { ...newUser.address, city: '' } }),
  /** @param {Answer} answer */
  checkWrong: ({ status }) => assert.equal(status, 400),
};

const multiplexed = /** @type {const} */ ({ protocol: 'http2', connections: 4, streams: 16, perRequest: 1 });
const oneByOne = /** @type {const} */ ({ protocol: 'http1', connections: 32, streams: 1, perRequest: 1 });
const warmUp = 20_000;

/** @type {Record<string, Load>} */
export const loads = {
  'grpc-unary': {
    title: 'gRPC unary',
    ...multiplexed,
    warmUp,
    request: rpc('GetUser', () => getUserRequest('1')),
    check: checkUserMessage,
    ...unknownRpc,
  },
  'grpc-auth': {
    title: 'gRPC unary with a token',
    ...multiplexed,
    warmUp,
    request: rpc('GetAccount', () => getUserRequest('1'), { authorization: `Bearer ${benchToken()}` }),
    check: checkUserMessage,
    wrong: rpc('GetAccount', () => getUserRequest('1'), { authorization: 'Bearer forged' }),
    checkWrong: ({ grpcStatus }) => assert.equal(grpcStatus, '16'),
  },
  'grpc-stream': {
    title: `gRPC server stream of ${chunksPerStream} messages of 1 KiB, per message`,
    ...multiplexed,
    streams: 4,
    perRequest: chunksPerStream,
    // 200 000 messages.
    warmUp: 2000,
    request: rpc('Stream', streamRequest),
    check: checkChunks(chunksPerStream, chunkBytes),
    ...unknownRpc,
  },
  'grpc-64k': {
    title: 'gRPC unary, 64 KiB there and back',
    ...multiplexed,
    streams: 4,
    warmUp,
    request: rpc('Echo', echoRequest),
    check: checkChunks(1, echoBytes),
    ...unknownRpc,
  },
  'rest-get': {
    title: 'REST GET, HTTP/1.1',
    ...oneByOne,
    warmUp,
    request: get('/api/v1/users/1'),
    check: checkUserBody,
    ...unknownRoute,
  },
  'rest-post': {
    title: 'REST POST with validation, HTTP/1.1',
    ...oneByOne,
    warmUp,
    request: post(newUser),
    check: checkCreatedBody,
    ...invalidBody,
  },
  'rest-get-h2': {
    title: 'REST GET, HTTP/2',
    ...multiplexed,
    warmUp,
    request: get('/api/v1/users/1'),
    check: checkUserBody,
    ...unknownRoute,
  },
  'rest-post-h2': {
    title: 'REST POST with validation, HTTP/2',
    ...multiplexed,
    warmUp,
    request: post(newUser),
    check: checkCreatedBody,
    ...invalidBody,
  },
};

/**
 * @param {number} port
 * @param {Load} load
 * @param {Request} request
 */
function ask(port, { protocol }, request) {
  return protocol === 'http1' ? askHttp1(port, request) : askHttp2(port, request);
}

/**
 * Asks once for the right answer and once for a refusal, and throws unless both are as they must be.
 *
 * @param {number} port
 * @param {Load} load
 * @returns {Promise<{ bodyBytes: number, wireBytes: number }>} size of the right answer
 */
export async function verify(port, load) {
  const answer = await ask(port, load, await load.request());
  await load.check(answer);
  load.checkWrong(await ask(port, load, await load.wrong()));
  return { bodyBytes: answer.body.length, wireBytes: answer.wireBytes };
}
