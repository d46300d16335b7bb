import { describe, expect, it } from 'vitest';
import { RawClient, TestPort } from '../../../test/support/one-port.js';

const request = 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi';

describe('OnePort on HTTP/1.1', () => {
  it('serves a request that comes byte by byte', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    for (const byte of request) await client.write(byte);

    await client.hears('"body":"hi"');
    expect(client.heard).toMatch(/^HTTP\/1.1 200 OK.*"version":"1.1"/s);
    expect(port.port.stats()).toMatchObject({ http1: 1, silent: 0, accepted: 1, refused: 0 });
    client.socket.destroy();
  });

  it('keeps the connection for the next request and closes it when it stays away', async () => {
    await using port = await TestPort.open({ options: { keepAliveTimeoutMs: 100 } });
    const client = await RawClient.connect(port.number);

    await client.write(request);
    await client.hears('200 OK');
    await client.write(request);
    await client.hears('200 OK', 2);
    await client.closed;

    expect(client.heard.match(/connection: keep-alive/g)).toHaveLength(2);
  });

  it('hands an upgrade to the listeners of the HTTP/1.1 server', async () => {
    await using port = await TestPort.open();
    port.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const client = await RawClient.connect(port.number);

    await client.write('GET /live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    await client.hears('101 Switching');
    await client.write('over here');

    expect(await client.hears('over here')).toMatch(/upgrade: echo\r\n\r\nover here$/);
    client.socket.destroy();
  });

  it('does not offer an upgrade to h2c', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    await client.write(
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n',
    );

    expect(await client.hears('"version":"1.1"')).toMatch(/^HTTP\/1.1 200 OK/);
    client.socket.destroy();
  });

  it.each(['h2c', 'TLS/1.2', 'H2C, TLS/1.3'])(
    'answers who asks for %s, also where WebSockets are served',
    async (protocol) => {
      await using port = await TestPort.open();
      const asked: unknown[] = [];
      port.server.on('upgrade', ({ headers }, socket) => {
        asked.push(headers.upgrade);
        socket.destroy();
      });
      const client = await RawClient.connect(port.number);

      await client.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`);
      await Promise.race([client.hears('"version":"1.1"'), client.closed]);
      await client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c, websocket\r\n\r\n');
      await client.closed;

      expect(client.heard.match(/^HTTP\/1.1 200 OK/gm)).toHaveLength(1);
      expect(asked).toEqual(['h2c, websocket']);
    },
  );

  it('ends a request whose headers come too slowly', async () => {
    await using port = await TestPort.open({ limits: { headersTimeoutMs: 100, bodyTimeoutMs: 10_000 } });
    const client = await RawClient.connect(port.number);

    await client.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow: ');

    await client.closed;
    expect(client.heard).toMatch(/^HTTP\/1.1 408 /);
  });

  it('ends a request whose body comes too slowly, whatever time its headers had', async () => {
    await using port = await TestPort.open({ limits: { headersTimeoutMs: 60_000, bodyTimeoutMs: 100 } });
    const client = await RawClient.connect(port.number);

    await client.write(request.slice(0, -1));

    await client.closed;
    expect(client.heard).toMatch(/^HTTP\/1.1 408 /);
  });
});
