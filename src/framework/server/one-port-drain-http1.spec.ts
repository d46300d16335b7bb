import { setImmediate as afterSockets } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { get, HeldPort } from '../../../test/support/held-port.js';
import { RawClient, until } from '../../../test/support/one-port.js';

describe('OnePort.drain on HTTP/1.1', () => {
  it('refuses new connections, ends a running request with connection: close, and resolves true', async () => {
    await using port = await HeldPort.open();
    const client = await port.raw();
    await client.write(get('/held'));
    await port.holds();
    const number = port.test.number;

    const drained = port.test.port.drain(4000);
    await until('the port is closed', () => !port.test.server.listening);
    await expect(RawClient.connect(number)).rejects.toThrow('ECONNREFUSED');
    port.release();

    expect(await drained).toBe(true);
    await client.closed;
    expect(client.heard).toMatch(/connection: close\r\n.*released$/is);
    await port.test.quiet();
  });

  it('serves the connections that wait to be accepted when it stops listening', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 2000 } });

    // Node accepts one in each turn of the event loop; the clients are all connected after the first.
    const clients = await Promise.all(Array.from({ length: 20 }, () => port.raw()));
    const drained = port.test.port.drain(4000);
    await Promise.all(clients.map((client) => client.write(get('/'))));

    expect(await drained).toBe(true);
    await Promise.all(clients.map(({ closed }) => closed));
    expect(clients.map(({ heard }) => heard.includes('answer to /'))).toEqual(clients.map(() => true));
  });

  it('serves those who came while the process was busy with something else', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 2000 } });
    const { number } = port.test;
    // From there timers come before sockets.
    await afterSockets();

    const drained = port.test.port.drain(4000);
    const clients = Array.from({ length: 3 }, () => RawClient.connect(number));
    const busyUntilMs = performance.now() + 200;
    while (performance.now() < busyUntilMs);
    const heard = clients.map(async (connecting) => {
      const client = await connecting;
      await client.write(get('/'));
      await client.closed;
      return client.heard.includes('answer to /');
    });

    expect(await Promise.all(heard)).toEqual([true, true, true]);
    expect(await drained).toBe(true);
  });

  it('serves a client that was just told to close and comes back on a new connection', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 2000 } });
    const told = await port.raw();
    await told.write(get('/held'));
    await port.holds();
    const number = port.test.number;

    const drained = port.test.port.drain(4000);
    port.release();
    await told.closed;
    const back = await RawClient.connect(number);
    await back.write(get('/again'));

    expect(await drained).toBe(true);
    await back.closed;
    expect(told.heard).toMatch(/connection: close/i);
    expect(back.heard).toContain('answer to /again');
  });

  it('drops a connection that has been idle for long at once', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 300 } });
    const client = await port.raw();
    await client.write(get('/'));
    await client.hears('200 OK');
    await new Promise((resolve) => setTimeout(resolve, 310));
    const startedAtMs = performance.now();

    expect(await port.test.port.drain(4000)).toBe(true);

    expect(performance.now() - startedAtMs).toBeLessThan(300);
    await client.closed;
  });

  it('serves one more request on a connection that was just busy, and closes with it', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 2000 } });
    const client = await port.raw();
    await client.write(get('/1'));
    await client.hears('answer to /1');

    const drained = port.test.port.drain(4000);
    await until('the port is closed', () => !port.test.server.listening);
    await client.write(get('/2'));

    expect(await drained).toBe(true);
    await client.closed;
    expect(client.heard).toMatch(/connection: close\r\n.*answer to \/2$/is);
  });

  it('answers all of what was pipelined before it closes', async () => {
    await using port = await HeldPort.open();
    const client = await port.raw();
    await client.write(get('/held'));
    await port.holds();

    const drained = port.test.port.drain(4000);
    await client.write(get('/held') + get('/held'));
    await until('all have come', () => port.held[0]?.socket?.bytesRead === 3 * get('/held').length);
    // One is served after the other: each is held as the one before it is released.
    port.release();

    expect(await drained).toBe(true);
    await client.closed;
    expect(client.heard).toMatch(/released.*released.*connection: close.*released$/is);
    expect(client.heard.match(/connection: close/gi)).toHaveLength(1);
  });

  it('lets a request whose headers are on the way arrive', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 0 } });
    const client = await port.raw();
    await client.write('GET /late HT');
    await until('http1', () => port.test.port.stats().http1 === 1);

    const drained = port.test.port.drain(4000);
    await until('the port is closed', () => !port.test.server.listening);
    await client.write('TP/1.1\r\nhost: x\r\n\r\n');

    expect(await drained).toBe(true);
    await client.closed;
    expect(client.heard).toContain('answer to /late');
  });

  it('counts a request that was answered before its body came as ended', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 0 } });
    const client = await port.raw();
    await client.write('POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345');
    await client.hears('answer to /early');
    await client.write('67890');

    expect(await port.test.port.drain(1000)).toBe(true);
  });

  it('drops connections that have said nothing, and those with half a preface', async () => {
    await using port = await HeldPort.open();
    const clients = [await port.raw(), await port.raw()];
    await clients[1]?.write('PRI * HT');
    await until('silent', () => port.test.port.stats().silent === 2);

    expect(await port.test.port.drain(4000)).toBe(true);

    await Promise.all(clients.map(({ closed }) => closed));
  });

  it('closes upgraded connections, whose end nobody knows', async () => {
    await using port = await HeldPort.open();
    port.test.server.on('upgrade', (_request, socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    });
    const client = await port.raw();
    await client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    await client.hears('101');

    expect(await port.test.port.drain(4000)).toBe(true);
  });

  it('destroys what is left when time is up, resolves false, and says so', async () => {
    await using port = await HeldPort.open();
    const client = await port.raw();
    await client.write(get('/held'));
    await port.holds();

    expect(await port.test.port.drain(100)).toBe(false);

    await client.closed;
    expect(client.heard).toBe('');
    expect(port.test.logs).toEqual([
      { message: 'drain ran out of time', fields: expect.objectContaining({ graceMs: 100, http1: 1 }) },
    ]);
    expect(port.test.port.stats()).toMatchObject({ http1: 0, http2: 0, streams: 0 });
  });

  it('goes on refusing slow clients while it drains', async () => {
    await using port = await HeldPort.open({ limits: { headersTimeoutMs: 100, bodyTimeoutMs: 100 } });
    const client = await port.raw();
    await client.write('GET / HTTP/1.1\r\nx-slow');
    await until('http1', () => port.test.port.stats().http1 === 1);

    expect(await port.test.port.drain(4000)).toBe(true);

    expect(client.heard).toMatch(/^HTTP\/1.1 408 /);
  });
});

describe('OnePort.announceDrain on HTTP/1.1', () => {
  it('accepts and serves on, and tells HTTP/1.1 clients to close', async () => {
    await using port = await HeldPort.open();
    const [old, waiting] = [await port.raw(), await port.raw()];
    await old.write(get('/1'));
    await old.hears('answer to /1');
    await waiting.write(get('/held'));
    await port.holds();

    port.test.port.announceDrain();
    const fresh = await port.raw();
    await fresh.write(get('/fresh'));
    await old.write(get('/2'));
    port.release();

    await Promise.all([old.closed, waiting.closed, fresh.closed]);
    expect(old.heard).toMatch(/keep-alive.*answer to \/1.*connection: close.*answer to \/2$/is);
    expect(waiting.heard).toMatch(/connection: close.*released$/is);
    expect(fresh.heard).toMatch(/connection: close.*answer to \/fresh$/is);
    expect(port.test.server.listening).toBe(true);
  });
});
