// Started by the suite once for every kind of server it wants to test: reads from standard input what is wanted, says on
// standard output where it listens, and runs until the suite ends it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

/** The one message on standard input: four bytes of length before it. */
async function readRequest(): Promise<ServerCompatRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    const all = Buffer.concat(chunks);
    if (all.length < 4 || all.length < 4 + all.readUInt32BE(0)) continue;
    const message = fromBinary(messageType('ServerCompatRequest'), all.subarray(4, 4 + all.readUInt32BE(0)));
    return message as unknown as ServerCompatRequest;
  }
  throw new Error('standard input ended before the request was whole');
}

function respond(port: number, pemCert: Uint8Array | undefined): void {
  const type = messageType('ServerCompatResponse');
  const init = { host: '127.0.0.1', port, ...(pemCert !== undefined && { pemCert }) };
  const message = toBinary(type, create(type, init));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  process.stdout.write(Buffer.concat([length, message]));
}

function settingsFor(request: ServerCompatRequest, folder: string): Record<string, string | number> {
  const settings: Record<string, string | number> = {
    'server.host': '127.0.0.1',
    'server.port': 0,
    'server.idleLingerMs': 0,
    'server.drainDelayMs': 0,
    // Standard output belongs to the suite.
    'log.level': 'silent',
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

const request = await readRequest();
const folder = mkdtempSync(join(tmpdir(), 'rookery-conformance-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const service = await createService(ConformanceModule, {
  config: {
    directory: folder,
    environment: { ROOKERY_ENV: 'test' },
    argv: Object.entries(settingsFor(request, folder)).flatMap(([path, value]) => ['--set', `${path}=${value}`]),
  },
});
await service.listen();
respond(Number(new URL(service.url).port), request.useTls ? request.serverCreds?.cert : undefined);
