import { once } from 'node:events';
import http2 from 'node:http2';
import { describe, expect, it } from 'vitest';
import { goawaysOf, headersFrame, HeldPort } from '../../../test/support/held-port.js';
import { answerOf, frame, framesOf, until } from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

describe('OnePort.drain on HTTP/2', () => {
  it('finishes running streams, and the client learns to go elsewhere', async () => {
    await using port = await HeldPort.open();
    const session = http2.connect(`http://127.0.0.1:${port.test.number}`);
    const answer = answerOf(session.request({ ':path': '/held' }));
    await port.holds();
    const goaway = once(session, 'goaway');

    const drained = port.test.port.drain(4000);
    expect((await goaway).slice(0, 2)).toEqual([http2.constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1]);
    port.release();

    expect((await answer).body).toBe('released');
    expect(await drained).toBe(true);
    await port.test.quiet();
  });

  it('serves streams that were opened before the client could know, and names the last one in the second GOAWAY', async () => {
    await using port = await HeldPort.open();
    const client = await port.rawHttp2();

    const drained = port.test.port.drain(4000);
    // The first GOAWAY has come; the PING behind it is not answered yet, so for the server this is on its way.
    await until('a GOAWAY', () => goawaysOf(client).length === 1);
    expect(goawaysOf(client)).toEqual([2 ** 31 - 1]);
    await client.write(headersFrame(1));
    await client.hears('answer to /');
    const pings = (): Buffer[] => framesOf(client.bytes).flatMap(({ type, payload }) => (type === 6 ? [payload] : []));
    await until('a PING', () => pings().length === 1);
    await client.write(Buffer.concat([headersFrame(3), frame(6, 1, 0, pings()[0])]));

    await client.hears('answer to /', 2);
    expect(await drained).toBe(true);
    await client.closed;
    expect(goawaysOf(client)[0]).toBe(2 ** 31 - 1);
    expect(new Set(goawaysOf(client).slice(1))).toEqual(new Set([3]));
  });

  it('does not wait long for a peer that answers no PING', async () => {
    await using port = await HeldPort.open();
    const client = await port.rawHttp2();

    expect(await port.test.port.drain(4000)).toBe(true);

    await client.closed;
    expect(goawaysOf(client)[0]).toBe(2 ** 31 - 1);
    expect(new Set(goawaysOf(client).slice(1))).toEqual(new Set([0]));
  });

  it('gives a connection that has just come time for its first request', async () => {
    await using port = await HeldPort.open({ options: { idleLingerMs: 2000 } });
    const silent = await port.raw();
    await until('silent', () => port.test.port.stats().silent === 1);

    const drained = port.test.port.drain(4000);
    await until('the port is closed', () => !port.test.server.listening);
    await silent.write(Buffer.concat([http2Preface, frame(4, 0, 0)]));
    await until('http2', () => port.test.port.stats().http2 === 1);
    // The drain looks every 50 ms.
    await new Promise((resolve) => setTimeout(resolve, 120));
    await silent.write(headersFrame(1));

    await silent.hears('answer to /');
    // What comes behind the answer is the end of a connection that is idle again.
    const [firstWord] = framesOf(silent.bytes).filter(({ type }) => type === 1 || type === 7);
    expect(firstWord).toMatchObject({ type: 1, stream: 1 });
    expect(await drained).toBe(true);
  });

  it('breaks what is left when time is up, without a word that it was not processed', async () => {
    await using port = await HeldPort.open();
    const held = await port.rawHttp2();
    // :path /held, literal without indexing
    await held.write(
      frame(
        1,
        5,
        1,
        Buffer.concat([Buffer.from([0x82, 0x86, 0x04, 5]), Buffer.from('/held'), Buffer.from([0x41, 1, 0x61])]),
      ),
    );
    await port.holds();

    expect(await port.test.port.drain(150)).toBe(false);

    await held.closed;
    // A REFUSED_STREAM would make gRPC clients send the call again.
    expect(framesOf(held.bytes).filter(({ type }) => type === 3)).toEqual([]);
    expect(port.test.port.stats()).toMatchObject({ http2: 0, streams: 0 });
  });
});

describe('OnePort.announceDrain on HTTP/2', () => {
  it('sends HTTP/2 connections away, and serves new ones', async () => {
    await using port = await HeldPort.open();
    const old = await port.rawHttp2();

    port.test.port.announceDrain();
    await until('a GOAWAY', () => goawaysOf(old).length === 1);
    expect(goawaysOf(old)).toEqual([2 ** 31 - 1]);
    const fresh = await port.rawHttp2();
    await fresh.write(headersFrame(1));
    await fresh.hears('answer to /');

    expect(goawaysOf(fresh)).toEqual([]);
    expect(port.test.server.listening).toBe(true);
    old.socket.destroy();
    fresh.socket.destroy();
  });
});

describe('OnePort and the close() of the HTTP/1.1 server', () => {
  it('drains, so that open HTTP/2 connections cannot hold it up', async () => {
    await using port = await HeldPort.open();
    const session = http2.connect(`http://127.0.0.1:${port.test.number}`);
    const answer = answerOf(session.request({ ':path': '/held' }));
    await port.holds();

    const closed = new Promise((resolve) => port.test.server.close(resolve));
    port.release();

    expect((await answer).body).toBe('released');
    expect(await closed).toBeUndefined();
    await port.test.quiet();
  });

  it('may be called after drain(), and again', async () => {
    await using port = await HeldPort.open();

    expect(await port.test.port.drain(1000)).toBe(true);

    expect(await new Promise((resolve) => port.test.server.close(resolve))).toBeUndefined();
    expect(await new Promise((resolve) => port.test.server.close(resolve))).toBeUndefined();
    expect(await port.test.port.drain(1000)).toBe(true);
  });
});
