import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { exchangeRaw, RawConnection } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';

// RFC 6455 section 1.3.
const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** A text frame of a server: RFC 6455 section 5.2. */
const textFrame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);

/** What a short masked frame says. */
function unmasked(frame: Buffer): string {
  const length = (frame[1] as number) & 0x7f;
  const mask = frame.subarray(2, 6);
  return Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at % 4] as number))).toString();
}

/** As packages for WebSockets do it: on the server's event `upgrade`. */
function echoOn(server: Server): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${acceptOf(String(request.headers['sec-websocket-key']))}\r\n\r\n`,
    );
    const answer = (frame: Buffer): void => {
      if (((frame[0] as number) & 0x0f) === 8) socket.end(Buffer.from([0x88, 0]));
      else socket.write(textFrame(`${request.url} ${unmasked(frame)}`));
    };
    if (head.length > 0) answer(head);
    socket.on('data', answer);
  });
}

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
/** `hello`, with a mask of zeros. */
const hello = Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('hello')]);

describe('a WebSocket on the port', () => {
  let app: TrialApp;

  beforeAll(async () => {
    app = await TrialApp.start();
    echoOn(app.test.service.app.getHttpServer());
  });

  afterAll(async () => {
    await app.stillServes();
    await app.close();
  });

  it('is opened by a real client, talks, and is closed', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/chat`);
    await once(socket, 'open');
    socket.send('hello');
    const [message] = (await once(socket, 'message')) as [{ data: string }];
    socket.close();
    await once(socket, 'close');

    expect(message.data).toBe('/chat hello');
  });

  it('gets what was sent along with its handshake', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(Buffer.concat([Buffer.from(handshake('/early')), hello]));
    await connection.sees('/early hello');
    connection.destroy();

    expect(connection.received.toString('latin1')).toContain('sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it('may follow requests on the same connection', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write('GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n');
    await connection.sees('"success"');
    connection.write(handshake('/later'));
    await connection.sees('101 Switching');
    connection.write(hello);
    await connection.sees('/later hello');
    connection.destroy();

    expect(connection.received.toString('latin1')).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 101 /s);
  });

  it('may follow requests that came with its handshake, in its turn', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(`GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n${handshake('/turn')}`);
    await connection.sees('101 Switching');
    connection.write(hello);
    await connection.sees('/turn hello');
    connection.destroy();

    expect(connection.received.toString('latin1')).toMatch(/^HTTP\/1\.1 200 .*"success".*HTTP\/1\.1 101 /s);
  });

  it('is let go of when the service stops', async () => {
    const stopping = await TrialApp.start();
    echoOn(stopping.test.service.app.getHttpServer());
    const connection = await RawConnection.open(stopping.port);
    connection.write(handshake('/chat'));
    await connection.sees('101 Switching');
    await stopping.close();

    expect((await connection.closed).toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
  });
});

describe('a WebSocket on the port over TLS', () => {
  it('talks as well', async () => {
    using authority = new TestAuthority();
    const { certFile, keyFile } = authority.issue('server');
    const app = await TrialApp.start(undefined, {
      set: { 'server.tls.certFile': certFile, 'server.tls.keyFile': keyFile, 'server.tls.allowCleartext': true },
    });
    echoOn(app.test.service.app.getHttpServer());
    const socket = connectTls({ port: app.port, host: '127.0.0.1', ca: readFileSync(authority.caFile) });
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
    await once(socket, 'secureConnect');
    socket.write(handshake('/secret'));
    await eventually('it is open', () => heard.includes('101 Switching'));
    socket.write(hello);
    await eventually('it talks', () => heard.includes('/secret hello'));
    socket.destroy();
    await app.close();

    expect(heard).toMatch(/^HTTP\/1\.1 101 /);
  });
});

describe('an upgrade that nobody listens for', () => {
  it('is a request as any other', async () => {
    const app = await TrialApp.start();
    const answer = await exchangeRaw(
      app.port,
      'GET /trial/context HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n',
    );
    await app.close();

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});
