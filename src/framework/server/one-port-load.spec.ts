import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { headersFrame } from '../../../test/support/held-port.js';
import {
  type AnyRequest,
  type AnyResponse,
  frame,
  framesOf,
  RawClient,
  TestPort,
  until,
} from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

describe('OnePort under load', () => {
  it.each([0, 100])(
    'loses no request on kept HTTP/1.1 connections when it drains (announced %i ms before)',
    async (delayMs) => {
      await using port = await TestPort.open({ options: { idleLingerMs: 500 }, handle: answerSoon });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
      const failures: string[] = [];
      let answered = 0;
      let isStopping = false;
      const number = port.number;
      const worker = async (): Promise<void> => {
        while (!isStopping) {
          try {
            isStopping ||= await ask(agent, number);
            answered += 1;
            // A client thinks between two requests; meanwhile its connection looks idle.
            await new Promise((resolve) => setTimeout(resolve, answered % 20));
          } catch (error) {
            failures.push(String(error));
          }
        }
      };
      const workers = Array.from({ length: 16 }, worker);
      await until('there is load', () => answered > 100);

      if (delayMs > 0) {
        port.port.announceDrain();
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      const drained = await port.port.drain(4000);
      await Promise.all(workers);

      agent.destroy();
      expect(drained).toBe(true);
      expect(failures).toEqual([]);
    },
  );

  it('loses no request on HTTP/2 connections when it drains', async () => {
    await using port = await TestPort.open({ handle: answerSoon });
    const clients = await Promise.all(Array.from({ length: 4 }, () => Http2Load.start(port.number, 8)));
    await until('there is load', () => clients.every((client) => client.answered > 100));

    const drained = await port.port.drain(4000);
    await Promise.all(clients.map(({ closed }) => closed));

    expect(drained).toBe(true);
    expect(clients.map(({ asked, answered }) => asked - answered)).toEqual([0, 0, 0, 0]);
  });
});

/** Keeps a number of streams open until it hears GOAWAY; what it has sent by then has to be answered. */
class Http2Load {
  asked = 0;
  answered = 0;
  #isLeaving = false;

  private constructor(readonly client: RawClient) {}

  static async start(number: number, width: number): Promise<Http2Load> {
    const client = await RawClient.connect(number);
    const load = new Http2Load(client);
    let pending = Buffer.alloc(0);
    client.socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      const frames = framesOf(pending);
      pending = pending.subarray(frames.reduce((total, { payload }) => total + 9 + payload.length, 0));
      for (const received of frames) load.#onFrame(received);
    });
    await client.write(Buffer.concat([http2Preface, frame(4, 0, 0), frame(4, 1, 0)]));
    for (let opened = 0; opened < width; opened += 1) load.#ask();
    return load;
  }

  get closed(): Promise<void> {
    return this.client.closed;
  }

  #ask(): void {
    if (this.#isLeaving) return;
    this.asked += 1;
    this.client.socket.write(headersFrame(2 * this.asked - 1));
  }

  #onFrame({ type, flags, payload }: { type: number; flags: number; payload: Buffer }): void {
    if (type === 7) this.#isLeaving = true;
    if (type === 6 && flags === 0) this.client.socket.write(frame(6, 1, 0, payload));
    if ((type !== 0 && type !== 1) || (flags & 1) === 0) return;
    this.answered += 1;
    this.#ask();
  }
}

function answerSoon(_request: AnyRequest, response: AnyResponse): void {
  setImmediate(() => response.end('x'));
}

/** One request; resolves with whether the answer told to close the connection. */
function ask(agent: http.Agent, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent, port, host: '127.0.0.1', path: '/' }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.headers.connection === 'close'));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
