import { describe, expect, it } from 'vitest';
import { framesOf, RawClient, TestPort } from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

const request = 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi';

describe('OnePort with clients that speak nothing', () => {
  const limits = { firstByteTimeoutMs: 100, headersTimeoutMs: 100 };

  it('closes a connection that says nothing', async () => {
    await using port = await TestPort.open({ limits });
    const client = await RawClient.connect(port.number);

    await client.closed;
    expect(client.heard).toBe('');
    expect(port.port.stats()).toMatchObject({ accepted: 1, refused: 1 });
  });

  it('closes a connection that sends half the preface, however slowly it goes on', async () => {
    await using port = await TestPort.open({ limits });
    const client = await RawClient.connect(port.number);

    await client.write(http2Preface.subarray(0, 12));

    await client.closed;
    expect(port.port.stats()).toMatchObject({ accepted: 1, refused: 1 });
  });

  it('closes a connection that sends the preface and no SETTINGS', async () => {
    await using port = await TestPort.open({ limits });
    const client = await RawClient.connect(port.number);

    await client.write(http2Preface);

    await client.closed;
    expect(framesOf(client.bytes).map(({ type }) => type)).not.toContain(0);
    await port.quiet();
  });

  it('answers garbage with 400 and closes', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    await client.write(Buffer.from('\x00\x01garbage\xff\r\n\r\n', 'latin1'));

    await client.closed;
    expect(client.heard).toMatch(/^HTTP\/1.1 400 /);
  });

  it('closes what begins a TLS handshake where there is no certificate, and logs the first of many in a minute', async () => {
    await using port = await TestPort.open();
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(port.number)));

    for (const client of clients) {
      await client.write(Buffer.from('160301020001000001fc0303', 'hex'));
      await client.closed;
    }

    expect(clients.map(({ heard }) => heard)).toEqual(['', '', '']);
    expect(port.logs).toEqual([
      { message: 'TLS refused: the port expects cleartext', fields: { peer: '127.0.0.1', connections: 1 } },
    ]);
    expect(port.port.stats()).toMatchObject({ accepted: 3, refused: 3 });
  });

  it('closes without an answer what names another protocol in the place of HTTP', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    await client.write('INVALID CONNECTION PREFACE\r\n\r\n');

    await client.closed;
    expect(client.heard).toBe('');
    expect(port.port.stats()).toMatchObject({ accepted: 1, refused: 1 });
  });

  it('closes TLS at once where it has no certificate', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    await client.write(Buffer.from('160301020001000001fc0303', 'hex'));

    await client.closed;
    expect(port.port.stats()).toMatchObject({ refused: 1 });
  });

  it('survives garbage after the preface', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);

    await client.write(Buffer.concat([http2Preface, Buffer.from('\xff'.repeat(100), 'latin1')]));

    await client.closed;
    // GOAWAY says why.
    expect(framesOf(client.bytes).at(-1)).toMatchObject({ type: 7 });
    await port.quiet();
  });

  it('keeps nothing of 2 000 connections with garbage', { timeout: 20_000 }, async () => {
    await using port = await TestPort.open({ limits });
    const beginnings = [
      '',
      'PRI * HT',
      '\x16\x03\x01',
      '\x00\xff\xfe',
      'GET / HTTP/1.1\r\nx',
      http2Preface.toString('latin1'),
    ];

    for (let round = 0; round < 20; round += 1) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(port.number)));
      await Promise.all(
        clients.map(async ({ socket }, index) => {
          socket.write(Buffer.from(beginnings[index % beginnings.length] as string, 'latin1'));
          // Half of them reset, the other half wait for what the server does.
          if (index % 2 === 0) socket.resetAndDestroy();
        }),
      );
    }

    expect(await port.quiet()).toMatchObject({ accepted: 2000 });
    const client = await RawClient.connect(port.number);
    await client.write(request);
    await client.hears('200 OK');
    client.socket.destroy();
  });

  it('closes connections over the limit as they come', async () => {
    await using port = await TestPort.open({ options: { maxConnections: 1 } });
    const first = await RawClient.connect(port.number);
    await first.write(request);
    await first.hears('200 OK');

    const second = await RawClient.connect(port.number);
    await second.closed;

    port.options.publish({ ...port.options.value, maxConnections: 2 });
    const third = await RawClient.connect(port.number);
    await third.write(request);
    expect(await third.hears('200 OK')).toContain('"body":"hi"');
    first.socket.destroy();
    third.socket.destroy();
  });
});
