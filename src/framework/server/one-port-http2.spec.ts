import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { answerOf, frame, framesOf, RawClient, TestPort, until } from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

async function withSession<T>(port: TestPort, work: (session: http2.ClientHttp2Session) => Promise<T>): Promise<T> {
  const session = http2.connect(`http://127.0.0.1:${port.number}`);
  try {
    return await work(session);
  } finally {
    session.destroy();
  }
}

describe('OnePort on HTTP/2', () => {
  it.each(Array.from({ length: http2Preface.length - 1 }, (_, at) => at + 1))(
    'knows a preface split after byte %i',
    async (at) => {
      await using port = await TestPort.open();
      const client = await RawClient.connect(port.number);
      const settings = frame(4, 0, 0);

      await client.write(http2Preface.subarray(0, at));
      await until('the connection is there', () => port.port.stats().accepted === 1);
      await client.write(Buffer.concat([http2Preface.subarray(at), settings]));

      // Its own SETTINGS and the acknowledgement of ours.
      const settingsHeard = (): number[] =>
        framesOf(client.bytes).flatMap(({ type, flags }) => (type === 4 ? [flags] : []));
      await until('two SETTINGS', () => settingsHeard().length === 2);
      expect(settingsHeard()).toEqual([0, 1]);
      expect(port.port.stats()).toMatchObject({ http2: 1 });
      client.socket.destroy();
    },
  );

  it('serves requests of a client with prior knowledge by the HTTP handlers', async () => {
    await using port = await TestPort.open();

    await withSession(port, async (session) => {
      const get = await answerOf(session.request({ ':path': '/one' }));
      const post = session.request({ ':path': '/two', ':method': 'POST' });
      post.end('body');

      expect(JSON.parse(get.body)).toEqual({ version: '2.0', method: 'GET', url: '/one', isTls: false, body: '' });
      expect(JSON.parse((await answerOf(post)).body)).toEqual({
        version: '2.0',
        method: 'POST',
        url: '/two',
        isTls: false,
        body: 'body',
      });
    });
    await port.quiet();
  });

  it('gives gRPC calls to gRPC, stream by stream, and gRPC-Web to the HTTP handlers', async () => {
    await using port = await TestPort.open();

    await withSession(port, async (session) => {
      const call = (type: string) => {
        const stream = session.request({ ':path': '/p.S/M', ':method': 'POST', 'content-type': type });
        stream.end();
        return answerOf(stream);
      };

      expect((await call('application/grpc')).headers['grpc-status']).toBe('12');
      expect((await call('application/grpc+proto')).headers['grpc-status']).toBe('12');
      expect((await call('application/grpc-web+proto')).headers['grpc-status']).toBeUndefined();
      expect((await call('application/json')).headers['grpc-status']).toBeUndefined();
    });
  });

  it('is reached by curl', async () => {
    await using port = await TestPort.open();

    const url = `http://127.0.0.1:${port.number}/curl`;
    const { stdout } = await promisify(execFile)('curl', ['-sS', '--http2-prior-knowledge', '-d', 'x=1', url]);

    expect(JSON.parse(stdout)).toEqual({ version: '2.0', method: 'POST', url: '/curl', isTls: false, body: 'x=1' });
  });

  it('says 100 to a client that waits for it', async () => {
    await using port = await TestPort.open();

    await withSession(port, async (session) => {
      const stream = session.request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
      stream.once('continue', () => stream.end('after'));

      expect(JSON.parse((await answerOf(stream)).body)).toMatchObject({ body: 'after' });
    });
  });

  it('offers no tunnel', async () => {
    await using port = await TestPort.open();

    await withSession(port, async (session) => {
      const stream = session.request({ ':method': 'CONNECT', ':authority': 'elsewhere:443' });

      expect((await answerOf(stream)).status).toBe(501);
    });
  });

  it('answers 408 to a body that comes too slowly, and goes on with the connection', async () => {
    await using port = await TestPort.open({ limits: { bodyTimeoutMs: 100 } });

    await withSession(port, async (session) => {
      const stream = session.request({ ':path': '/', ':method': 'POST' });
      stream.write('a');

      const answer = await answerOf(stream);
      expect(answer.status).toBe(408);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 408, data: null, reason: 'REQUEST_TIMEOUT' });
      expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(200);
    });
    await port.quiet();
  });

  it('leaves the answer to a body that comes too slowly to whoever reads the body', async () => {
    await using port = await TestPort.open({
      limits: { bodyTimeoutMs: 100 },
      handle: (incoming, response) => {
        incoming.resume();
        incoming.on('error', (error: Error) => {
          response.statusCode = 408;
          response.end(`mine: ${error.message}`);
        });
      },
    });

    await withSession(port, async (session) => {
      const stream = session.request({ ':path': '/', ':method': 'POST' });
      stream.write('a');

      expect(await answerOf(stream)).toMatchObject({ status: 408, body: 'mine: the request did not arrive in time' });
    });
    await port.quiet();
  });

  it('resets the stream of a handler that throws, and goes on with the connection', async () => {
    await using port = await TestPort.open({
      handle: (incoming, response) => {
        if (incoming.url === '/broken') throw new Error('defect');
        response.end('fine');
      },
    });

    await withSession(port, async (session) => {
      await expect(answerOf(session.request({ ':path': '/broken' }))).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
      expect((await answerOf(session.request({ ':path': '/' }))).body).toBe('fine');
    });
    expect(port.logs).toEqual([{ message: 'HTTP/2 stream failed', fields: { error: 'Error: defect' } }]);
  });

  it('announces its limits', async () => {
    await using port = await TestPort.open({ http2: { maxConcurrentStreams: 7 }, limits: { maxHeaderBytes: 9000 } });

    await withSession(port, async (session) => {
      const [settings] = (await once(session, 'remoteSettings')) as [http2.Settings];

      expect(settings).toMatchObject({ maxConcurrentStreams: 7, maxHeaderListSize: 36_000 });
    });
  });

  it('closes a connection without requests after a while, by GOAWAY', async () => {
    await using port = await TestPort.open({ http2: { idleTimeoutMs: 100 } });

    await withSession(port, async (session) => {
      const goaway = once(session, 'goaway');
      await answerOf(session.request({ ':path': '/' }));

      expect((await goaway)[0]).toBe(http2.constants.NGHTTP2_NO_ERROR);
      await once(session, 'close');
    });
    await port.quiet();
  });

  it('does not count a connection as idle while a request is open', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<() => void>();
    await using port = await TestPort.open({
      http2: { idleTimeoutMs: 20 },
      handle: (_incoming, response) => resolve(() => response.end('late')),
    });

    await withSession(port, async (session) => {
      let goaways = 0;
      session.on('goaway', () => (goaways += 1));
      const answer = answerOf(session.request({ ':path': '/' }));
      const finish = await asked;
      // Younger, and closed because nothing is open on it.
      await withSession(port, (witness) => once(witness, 'close'));
      expect(goaways).toBe(0);
      finish();

      expect((await answer).body).toBe('late');
    });
  });

  it('drops the socket of a client that went away without a word', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);
    await client.write(Buffer.concat([http2Preface, frame(4, 0, 0)]));
    await until('HTTP/2', () => port.port.stats().http2 === 1);

    client.socket.end();

    expect(await port.quiet()).toMatchObject({ accepted: 1 });
  });

  it('drops the socket of a client that says goodbye and stays', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);
    client.socket.allowHalfOpen = true;

    await client.write(Buffer.concat([http2Preface, frame(4, 0, 0), frame(7, 0, 0, Buffer.alloc(8))]));

    expect(await port.quiet()).toMatchObject({ accepted: 1 });
  });
});
