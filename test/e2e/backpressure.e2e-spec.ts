import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { TrialApp } from '../support/trial-app.js';

const messageBytes = 100_000;
const messages = 2000;
// The windows of HTTP/2 (1 MiB for a connection), Node's buffers, the kernel's buffers of both sockets: a fiftieth of what is to be sent.
const boundBytes = 16_000_000;
let app: TrialApp;
let session: ClientHttp2Session;

beforeAll(async () => {
  app = await TrialApp.start();
});

beforeEach(async () => {
  app.state.reset();
  session = connect(app.url);
  await once(session, 'connect');
});

afterAll(() => app.close());

function open(method: string): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/trial.service.v1.TrialService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  return stream;
}

function frame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Waits until a number has not changed for a while: nothing tells that nothing more will come. */
async function settled(what: string, read: () => number): Promise<number> {
  let last = -1;
  let sinceMs = performance.now();
  await eventually(`${what} stays the same`, () => {
    if (read() !== last) {
      last = read();
      sinceMs = performance.now();
    }
    return last > 0 && performance.now() - sinceMs > 500;
  });
  return last;
}

describe('a caller that does not read', () => {
  it('holds up a generator, and memory with it, until it reads on', async () => {
    const stream = open('Produce');
    // Fields count and size.
    stream.end(frame(Buffer.from([0x10, 0xd0, 0x0f, 0x18, 0xa0, 0x8d, 0x06])));
    await once(stream, 'response');
    const produced = await settled('what is produced', () => app.state.produced);

    expect(produced * messageBytes).toBeLessThan(boundBytes);

    let received = 0;
    for await (const chunk of stream) received += (chunk as Buffer).length;
    session.destroy();
    expect(app.state.produced).toBe(messages);
    expect(received).toBeGreaterThan(messages * messageBytes);
  });

  it('and then goes away ends the generator', async () => {
    const stream = open('Produce');
    stream.end(frame(Buffer.from([0x10, 0xd0, 0x0f, 0x18, 0xa0, 0x8d, 0x06])));
    await once(stream, 'response');
    const produced = await settled('what is produced', () => app.state.produced);
    session.destroy();
    await eventually('nothing is in flight', () => app.inFlight === 0);

    expect(app.state.produced).toBeLessThanOrEqual(produced + 1);
  });
});

describe('a handler that does not read', () => {
  it('holds up its caller until it reads on', async () => {
    const stream = open('Consume');
    // Field data.
    const message = frame(Buffer.concat([Buffer.from([0x1a, 0xa0, 0x8d, 0x06]), Buffer.alloc(messageBytes)]));
    let taken = 0;
    const answer: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => answer.push(chunk));
    const sending = (async () => {
      for (let count = 0; count < messages; count += 1) {
        await new Promise<void>((resolve) => stream.write(message, () => resolve()));
        taken += 1;
      }
      stream.end();
    })();
    await settled('what is taken', () => taken);

    expect(taken * messageBytes).toBeLessThan(boundBytes);
    expect(app.state.consumed).toBe(1);

    app.state.open();
    await sending;
    await once(stream, 'close');
    session.destroy();
    expect(app.state.consumed).toBe(messages);
    expect(Buffer.concat(answer).toString()).toContain(String(messages * messageBytes));
  });
});
