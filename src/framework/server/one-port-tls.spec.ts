import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type KeyPair, TestAuthority } from '../../../test/support/certificates.js';
import { eventually } from '../../../test/support/eventually.js';
import {
  type AnyRequest,
  answerOf,
  frame,
  type PortSettings,
  RawClient,
  TestPort,
} from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

const authority = new TestAuthority();
const strangers = new TestAuthority('strangers');
const server = authority.issue('server');
const ca = readFileSync(authority.caFile);

afterAll(() => {
  authority[Symbol.dispose]();
  strangers[Symbol.dispose]();
});

const open = (settings: PortSettings = {}): Promise<TestPort> =>
  TestPort.open({ ...settings, tls: { ...server, ...settings.tls } });

function getHttps(port: number, client: tls.ConnectionOptions = {}): Promise<{ version: string; isTls: boolean }> {
  return new Promise((resolve, reject) => {
    const request = https.get({ ca, port, host: '127.0.0.1', path: '/', agent: false, ...client }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve(JSON.parse(Buffer.concat(chunks).toString()) as { version: string; isTls: boolean }),
      );
    });
    request.on('error', reject);
  });
}

function readPair({ certFile, keyFile }: KeyPair): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

describe('OnePort on TLS', () => {
  it('serves HTTP/1.1 to a client that offers nothing else', async () => {
    await using port = await open();

    expect(await getHttps(port.number)).toMatchObject({ version: '1.1', isTls: true });
    expect(await getHttps(port.number, { ALPNProtocols: ['http/1.1'] })).toMatchObject({ version: '1.1', isTls: true });
    await port.quiet();
  });

  it('keeps a request of several records that comes while the answer before it is unread', async () => {
    // More than the buffers of both sockets take.
    const large = Buffer.alloc(24 * 1024 * 1024);
    const isAsked = Promise.withResolvers<AnyRequest>();
    const isRead = Promise.withResolvers<number>();
    await using port = await open({
      handle: (request, response) => {
        if (request.method === 'GET') {
          isAsked.resolve(request);
          response.end(large);
          return;
        }
        let bytes = 0;
        request.on('data', (chunk: Buffer) => (bytes += chunk.length));
        request.on('end', () => {
          isRead.resolve(bytes);
          response.end();
        });
      },
    });
    const socket = tls.connect({ port: port.number, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    const request = await isAsked.promise;
    // Sent in one piece, and read so: 40 000 bytes are three records of TLS.
    socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40000\r\n\r\n${'x'.repeat(40_000)}`);
    await eventually('as much as is read ahead has been received', () => request.socket.bytesRead > 16_384);

    socket.resume();

    expect(await isRead.promise).toBe(40_000);
    socket.destroy();
    await port.quiet();
  });

  it('serves HTTP/2 to a client that offers it, gRPC included', async () => {
    await using port = await open();
    const session = http2.connect(`https://127.0.0.1:${port.number}`, { ca });
    const get = await answerOf(session.request({ ':path': '/' }));
    const call = session.request({ ':path': '/p.S/M', ':method': 'POST', 'content-type': 'application/grpc' });
    call.end();

    expect(JSON.parse(get.body)).toMatchObject({ version: '2.0', isTls: true });
    expect((await answerOf(call)).headers['grpc-status']).toBe('12');
    expect(session.alpnProtocol).toBe('h2');
    session.destroy();
    await port.quiet();
  });

  it('serves HTTP/2 with prior knowledge to a client without ALPN', async () => {
    await using port = await open();
    const socket = tls.connect({ port: port.number, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');

    socket.write(Buffer.concat([http2Preface, frame(4, 0, 0)]));

    const [settings] = (await once(socket, 'data')) as [Buffer];
    expect(settings[3]).toBe(4);
    socket.destroy();
  });

  it.each([
    ['--http1.1', '1.1'],
    ['--http2', '2.0'],
  ])('is reached by curl %s', async (flag, version) => {
    await using port = await open();

    const { stdout } = await promisify(execFile)('curl', [
      '-sS',
      flag,
      '--cacert',
      authority.caFile,
      `https://127.0.0.1:${port.number}/`,
    ]);

    expect(JSON.parse(stdout)).toMatchObject({ version, isTls: true });
  });

  it('refuses TLS 1.1 and protocols that it does not speak', async () => {
    await using port = await open();

    await expect(
      getHttps(port.number, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow(/protocol version|EPROTO/);
    await expect(getHttps(port.number, { ALPNProtocols: ['spdy/3'] })).rejects.toThrow(/no application protocol/);
    await port.quiet();
    expect(port.port.stats().refused).toBe(2);
  });

  it('closes HTTP/1.1 on a connection that agreed on HTTP/2', async () => {
    await using port = await open();
    const socket = tls.connect({ port: port.number, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    socket.on('error', () => {});

    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');

    await once(socket, 'close');
    expect(socket.bytesRead).toBe(0);
  });

  it('tells cleartext HTTP/1.1 what it expects and closes; cleartext HTTP/2 is just closed', async () => {
    await using port = await open();
    const [http1, h2c] = [await RawClient.connect(port.number), await RawClient.connect(port.number)];

    await http1.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await h2c.write(http2Preface);

    await Promise.all([http1.closed, h2c.closed]);
    expect(http1.heard).toMatch(/^HTTP\/1.1 400 .*\r\n\r\nthis port expects TLS \(https\)$/s);
    expect(h2c.heard).toBe('');
    expect(port.port.stats()).toMatchObject({ accepted: 2, refused: 2 });
  });

  it('says in the log that cleartext was refused, once for the many, and counts each', async () => {
    await using port = await open();
    for (let i = 0; i < 3; i += 1) {
      const client = await RawClient.connect(port.number);
      await client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      await client.closed;
    }

    expect(port.logs).toEqual([
      {
        message: 'cleartext refused: the port expects TLS',
        fields: { peer: '127.0.0.1', protocol: 'http1', connections: 1 },
      },
    ]);
    const metric = port.port.metrics().find(({ name }) => name === 'rookery_connections_cleartext_refused_total');
    expect(metric?.samples).toEqual([{ value: 3 }]);
  });

  it('serves cleartext beside TLS where it is allowed', async () => {
    await using port = await open({ tls: { allowCleartext: true } });
    const client = await RawClient.connect(port.number);

    await client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');

    await client.hears('"isTls":false');
    expect(await getHttps(port.number)).toMatchObject({ isTls: true });
    client.socket.destroy();
  });

  it('serves cleartext, or no longer, as the options say when the connection comes', async () => {
    await using port = await open({});
    const answers = [];
    for (const allowCleartext of [false, true, false]) {
      port.options.publish({ ...port.options.value, tls: { ...port.options.value.tls, allowCleartext } });
      const client = await RawClient.connect(port.number);
      await client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      await client.closed;
      answers.push(client.heard.split('\r\n', 1)[0]);
    }

    expect(answers).toEqual(['HTTP/1.1 400 Bad Request', 'HTTP/1.1 200 OK', 'HTTP/1.1 400 Bad Request']);
  });

  it('closes a connection that stops in the handshake, and one that stops after it', async () => {
    await using port = await open({ tls: { handshakeTimeoutMs: 100 }, limits: { firstByteTimeoutMs: 100 } });
    const half = await RawClient.connect(port.number);
    await half.write(Buffer.from('16030102000100', 'hex'));
    const whole = tls.connect({ port: port.number, host: '127.0.0.1', ca });
    await once(whole, 'secureConnect');
    whole.resume();

    await Promise.all([half.closed, once(whole, 'close')]);

    await port.quiet();
    expect(port.port.stats().refused).toBe(2);
  });

  it('ends a request whose headers come too slowly', async () => {
    await using port = await open({ limits: { headersTimeoutMs: 100, bodyTimeoutMs: 100 } });
    const socket = tls.connect({ port: port.number, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));

    socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow');

    await once(socket, 'close');
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 408 /);
  });

  it('drains both protocols', async () => {
    await using port = await open();
    const session = http2.connect(`https://127.0.0.1:${port.number}`, { ca });
    await answerOf(session.request({ ':path': '/' }));
    const agent = new https.Agent({ keepAlive: true, ca });
    await getHttps(port.number, { agent } as tls.ConnectionOptions);
    expect(port.port.stats()).toMatchObject({ http1: 1, http2: 1 });

    expect(await port.port.drain(4000)).toBe(true);

    agent.destroy();
    await port.quiet();
  });
});

describe('OnePort whose certificate changes', () => {
  it('shows the new one to new connections and leaves the old ones alone', async () => {
    const files = { certFile: authority.path('live/tls.crt'), keyFile: authority.path('live/tls.key') };
    const place = (pair: KeyPair): void => {
      copyFileSync(pair.certFile, files.certFile);
      copyFileSync(pair.keyFile, files.keyFile);
    };
    mkdirSync(authority.path('live'));
    place(server);
    await using port = await open({ tls: files, tlsTiming: { debounceMs: 20, pollMs: 60_000 } });
    const session = http2.connect(`https://127.0.0.1:${port.number}`, { ca });
    await answerOf(session.request({ ':path': '/' }));
    expect(await subjectAt(port.number)).toBe('server');

    place(authority.issue('renewed'));

    await vi.waitFor(async () => expect(await subjectAt(port.number)).toBe('renewed'), { timeout: 4000 });
    expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(200);
    session.destroy();
  });

  it('does not start with files that cannot serve', async () => {
    const [one, other] = [authority.issue('one'), authority.issue('other')];

    await expect(open({ tls: { certFile: one.certFile, keyFile: other.keyFile } })).rejects.toThrow(
      `server.tls.keyFile: ${other.keyFile} (expected: the private key of ${one.certFile})`,
    );
  });

  it('goes on with what it has when the files go away', async () => {
    const pair = authority.issue('gone');
    await using port = await open({ tls: pair, tlsTiming: { debounceMs: 1, pollMs: 5 } });

    rmSync(pair.certFile);
    await vi.waitFor(() => expect(port.logs).toHaveLength(1));

    expect(await subjectAt(port.number)).toBe('gone');
  });
});

async function subjectAt(port: number): Promise<string | undefined> {
  const socket = tls.connect({ port, host: '127.0.0.1', ca });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return Array.isArray(CN) ? CN[0] : CN;
}

describe('OnePort on mutual TLS', () => {
  // TLS 1.3: the client believes in the connection before the server has seen its certificate.
  const refusals = /certificate required|ECONNRESET|EPIPE|socket hang up/;
  const mutual = { tls: { clientCaFile: authority.caFile } };

  it('serves a client whose certificate comes from the authority', async () => {
    await using port = await open(mutual);
    const client = readPair(authority.issue('client'));

    expect(await getHttps(port.number, client)).toMatchObject({ version: '1.1' });
    const session = http2.connect(`https://127.0.0.1:${port.number}`, { ca, ...client });
    expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(200);
    session.destroy();
  });

  it('refuses a client with no certificate or that of a stranger', async () => {
    await using port = await open(mutual);

    await expect(getHttps(port.number)).rejects.toThrow(refusals);
    await expect(getHttps(port.number, readPair(strangers.issue('client')))).rejects.toThrow(refusals);
    await port.quiet();
    expect(port.port.stats()).toMatchObject({ http1: 0, refused: 2 });
  });
});
