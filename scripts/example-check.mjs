// Installs the packed package into an empty project, as a user would, builds the twenty-line service there, and talks to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { npm } from './npm.mjs';
import { StepError } from './progress.mjs';
import { environmentFor } from './toolchain.mjs';
import { ROOT, runTool } from './tools.mjs';

const EXAMPLE = join(ROOT, 'test/examples/twenty-line-service');

/** Times five of what a loaded machine took. */
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 30_000;

/** @param {string} tarball */
export async function runExample(tarball) {
  // Outside the repository, where no node_modules of ours can stand in for what the package forgot to ask for.
  const folder = mkdtempSync(join(tmpdir(), 'rookery-example-'));
  try {
    await build(folder, tarball);
    await talk(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @param {string} tarball
 */
async function build(folder, tarball) {
  cpSync(EXAMPLE, folder, { recursive: true });
  const manifest = {
    name: 'twenty-line-service',
    private: true,
    type: 'module',
    dependencies: { rookery: `file:${tarball}`, ...requiredPeers(), ...lockedVersions(['@types/node']) },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await npm(['install', '--prefer-offline', '--ignore-scripts', '--no-package-lock'], {
    cwd: folder,
  });
  await toolIn(folder, '@bufbuild/buf', 'buf', 'generate', 'proto');
  await toolIn(folder, 'typescript', 'tsc', '-p', 'tsconfig.json', '--pretty', 'false');
}

/** What the package says its user must have, in the versions that we develop with. */
function requiredPeers() {
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return lockedVersions(Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional));
}

/** @param {readonly string[]} names */
function lockedVersions(names) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.fromEntries(names.map((name) => [name, packages[`node_modules/${name}`].version]));
}

/**
 * @param {string} cwd
 * @param {string} packageName
 * @param {string} command
 * @param {...string} args
 */
async function toolIn(cwd, packageName, command, ...args) {
  const { code, output } = await runTool(packageName, command, args, { cwd });
  if (code !== 0) throw new StepError(`${command} in the example project ended with ${code}`, output);
}

/** @param {string} folder */
async function talk(folder) {
  const port = await freePort();
  const env = { ...environmentFor(process.execPath), PORT: String(port), HOST: '127.0.0.1' };
  const service = spawn(process.execPath, ['dist/main.js'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(service, 'exit');
  let log = '';
  for (const stream of [service.stdout, service.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
  }
  try {
    const rest = await untilAnswered(`http://127.0.0.1:${port}/hello/Ada`, () => service.exitCode === null);
    expect('REST', rest, '{"code":200,"data":{"greeting":"Hello Ada"},"message":"success"}');
    expect('gRPC', await sayHello(port, 'Ada'), 'grpc-status 0, "Hello Ada"');
    service.kill('SIGTERM');
    const code = await Promise.race([ended, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    expect('exit after SIGTERM', code ? String(code[0]) : `none within ${STOP_LIMIT_MS} ms`, '0');
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new StepError(message, `${log}${error instanceof StepError ? error.output : ''}`);
  } finally {
    service.kill('SIGKILL');
  }
}

/**
 * @param {string} what
 * @param {string} found
 * @param {string} expected
 */
function expect(what, found, expected) {
  if (found !== expected) throw new StepError(`${what} of the example: ${found} (expected: ${expected})`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  return port;
}

/**
 * @param {string} url
 * @param {() => boolean} isRunning
 */
async function untilAnswered(url, isRunning) {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (!isRunning()) throw new StepError('the example ended while starting');
      if (Date.now() > deadline)
        throw new StepError(`the example did not answer within ${START_LIMIT_MS} ms`, String(error));
      await sleep(100);
    }
  }
}

/**
 * A unary call by hand, so that no client library has to be installed: a length-prefixed message on an HTTP/2 stream.
 *
 * @param {number} port
 * @param {string} name
 */
async function sayHello(port, name) {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/greeter.v1.GreeterService/SayHello',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    /** @type {import('node:http2').IncomingHttpHeaders} */
    let trailers = {};
    stream.on('trailers', (headers) => {
      trailers = headers;
    });
    stream.on('response', (headers) => {
      if ('grpc-status' in headers) trailers = headers; // an error without a message: the headers are the trailers
    });
    stream.end(framed(textField(name)));
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const text = Buffer.concat(chunks)
      .subarray(FRAME_HEADER_BYTES + FIELD_HEADER_BYTES)
      .toString();
    return `grpc-status ${String(trailers['grpc-status'])}, "${text}"`;
  } finally {
    session.destroy();
  }
}

/** One byte that says "not compressed", four for the length. */
const FRAME_HEADER_BYTES = 5;

/** One byte for field 1 with a length, one for the length of a short text. */
const FIELD_HEADER_BYTES = 2;

/** @param {string} text shorter than 128 bytes */
function textField(text) {
  return Buffer.concat([Buffer.from([0x0a, Buffer.byteLength(text)]), Buffer.from(text)]);
}

/** @param {Buffer} message */
function framed(message) {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
