// The floor of gRPC on Node: grpc-js with proto-loader, no framework, no validation.
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { Server, ServerCredentials, loadPackageDefinition, status } from '@grpc/grpc-js';

/** A dependency of grpc-js, so it is there wherever grpc-js is. */
const require = createRequire(import.meta.resolve('@grpc/grpc-js'));
const { loadSync } = require('@grpc/proto-loader');
const definition = loadSync(fileURLToPath(new URL('../proto/bench/v1/bench.proto', import.meta.url)), {
  longs: String,
  defaults: true,
  keepCase: false,
});
const { BenchService } = /** @type {any} */ (loadPackageDefinition(definition)).bench.v1;

const users = new Map([
  [
    '1',
    {
      displayName: 'Alice',
      id: '1',
      email: 'alice@example.com',
      role: 'developer',
      age: 34,
      createdAt: new Date('2026-01-01T00:00:00Z'),
    },
  ],
]);
const kibibyte = Buffer.alloc(1024, 'x');
let lastId = 1_000_000_000;

/** @param {Date} date */
function timestamp(date) {
  const ms = date.getTime();
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

/** @type {import('@grpc/grpc-js').handleUnaryCall<{ id: string }, object>} */
function getUser({ request: { id } }, answer) {
  const user = users.get(id);
  if (user) answer(null, { ...user, createdAt: timestamp(user.createdAt) });
  else answer({ code: status.NOT_FOUND, details: `user ${id} not found` });
}

const server = new Server({
  'grpc.enable_channelz': 0,
  'grpc.max_receive_message_length': 1 << 20,
});
server.addService(BenchService.service, {
  getUser,
  getAccount: getUser,
  /** @type {import('@grpc/grpc-js').handleUnaryCall<object, object>} */
  createUser({ request }, answer) {
    lastId += 1;
    answer(null, { ...request, id: String(lastId) });
  },
  /** @type {import('@grpc/grpc-js').handleServerStreamingCall<{ count: number }, object>} */
  stream(call) {
    for (let sent = 0; sent < call.request.count; sent += 1) call.write({ payload: kibibyte });
    call.end();
  },
  /** @type {import('@grpc/grpc-js').handleUnaryCall<{ payload: Buffer }, object>} */
  echo({ request: { payload } }, answer) {
    answer(null, { payload });
  },
});
server.bindAsync(`127.0.0.1:${process.env['PORT']}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.on('SIGTERM', () => process.exit());
