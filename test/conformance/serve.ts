// The services under test, all in one process: the suite gives each ten seconds to start, which a process of its own may
// exceed on a busy machine. `relay.ts` is what the suite starts. Writes its port to standard output when it is ready.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Module } from '@nestjs/common';
import { createService } from 'rookery';
import { ConformanceController } from './conformance.controller.js';
import { messageType } from './descriptors.js';
import type { ServerCompatRequest } from './messages.js';

@Module({ controllers: [ConformanceController] })
class ConformanceModule {}

/** The one message of a connection: four bytes of length before it. */
function readRequest(socket: Socket): Promise<ServerCompatRequest> {
  const { promise, resolve, reject } = Promise.withResolvers<ServerCompatRequest>();
  let seen = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    if (seen.length < 4 || seen.length < 4 + seen.readUInt32BE(0)) return;
    const message = fromBinary(messageType('ServerCompatRequest'), seen.subarray(4, 4 + seen.readUInt32BE(0)));
    resolve(message as unknown as ServerCompatRequest);
  });
  socket.on('close', () => reject(new Error('the connection ended before the request was whole')));
  return promise;
}

function encodeResponse(port: number, pemCert: Uint8Array | undefined): Buffer {
  const type = messageType('ServerCompatResponse');
  const init = { host: '127.0.0.1', port, ...(pemCert !== undefined && { pemCert }) };
  const message = toBinary(type, create(type, init));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

function settingsFor(request: ServerCompatRequest, folder: string): Record<string, string | number> {
  const settings: Record<string, string | number> = {
    'server.host': '127.0.0.1',
    'server.port': 0,
    'server.idleLingerMs': 0,
    'server.drainDelayMs': 0,
    'server.graceMs': 1000,
    'log.level': 'warn',
    // The suite counts the details of errors that the framework answers.
    'grpc.errorDetails': 'false',
    'grpc.compression': 'gzip',
    'grpc.compressionMinBytes': 0,
  };
  const write = (name: string, content: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  if (request.messageReceiveLimit > 0) settings['server.limits.maxBodyBytes'] = request.messageReceiveLimit;
  if (request.useTls && request.serverCreds !== undefined) {
    settings['server.tls.certFile'] = write('cert.pem', request.serverCreds.cert);
    settings['server.tls.keyFile'] = write('key.pem', request.serverCreds.key);
    if (request.clientTlsCert.length > 0) settings['server.tls.clientCaFile'] = write('ca.pem', request.clientTlsCert);
  }
  return settings;
}

/** Runs a service for as long as the connection lasts. */
async function serve(socket: Socket): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'rookery-conformance-'));
  try {
    const request = await readRequest(socket);
    const settings = settingsFor(request, folder);
    const service = await createService(ConformanceModule, {
      ownsProcess: false,
      config: {
        directory: folder,
        environment: { ROOKERY_ENV: 'test' },
        argv: Object.entries(settings).flatMap(([path, value]) => ['--set', `${path}=${value}`]),
      },
    });
    await service.listen();
    socket.write(
      encodeResponse(Number(new URL(service.url).port), request.useTls ? request.serverCreds?.cert : undefined),
    );
    await closed;
    await service.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
    socket.destroy();
  }
}

const server = createServer((socket) => {
  socket.on('error', () => {});
  serve(socket).catch((error: unknown) => process.stderr.write(`conformance: ${String(error)}\n`));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
// Whoever started this has gone.
process.stdin.resume().on('end', () => process.exit(0));
