import { type ClientHttp2Session, type OutgoingHttpHeaders, connect, sensitiveHeaders } from 'node:http2';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HeaderField, HpackDecoder, HpackEncoder } from './index.js';
import { staticNames } from './static-table.js';

// The other implementation is nghttp2, which is in Node: it packs what we decode, and decodes what we pack.

const [headersFrame, settingsFrame, continuationFrame] = [1, 4, 9];
const [flagAck, flagEndStream, flagEndHeaders, flagPadded, flagPriority] = [0x1, 0x1, 0x4, 0x8, 0x20];
const settingHeaderTableSize = 1;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Of HTTP/2 as much as it takes to answer requests: each gets its own fields back, and is remembered. */
class EchoingServer {
  readonly requests: HeaderField[][] = [];
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  constructor(readonly maxTableBytes: number) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(): Promise<number> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #serve(socket: Socket): void {
    const decoder = new HpackDecoder({ maxTableBytes: this.maxTableBytes, maxListBytes: 1e6 });
    const encoder = new HpackEncoder({ maxTableBytes: 16_384 });
    let seen: Buffer = Buffer.alloc(0);
    let block: Buffer = Buffer.alloc(0);
    this.#sockets.push(socket);
    socket.on('error', () => {});
    const setting = Buffer.alloc(6);
    setting.writeUInt16BE(settingHeaderTableSize, 0);
    setting.writeUInt32BE(this.maxTableBytes, 2);
    socket.write(frame(settingsFrame, 0, 0, setting));

    const onSettings = (flags: number, payload: Buffer): void => {
      if (flags & flagAck) return decoder.settingsAcknowledged();
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === settingHeaderTableSize) encoder.setMaxTableBytes(payload.readUInt32BE(at + 2));
      }
      socket.write(frame(settingsFrame, flagAck, 0, Buffer.alloc(0)));
    };
    const onBlock = (stream: number): void => {
      const fields: HeaderField[] = [];
      decoder.decode(block, 0, block.length, (name, value) => fields.push({ name, value }));
      this.requests.push(fields);
      const answer = [{ name: ':status', value: '200' }, ...fields.filter(({ name }) => !name.startsWith(':'))];
      const target = Buffer.alloc(encoder.maxEncodedBytes(answer));
      const packed = target.subarray(0, encoder.encode(answer, target, 0));
      socket.write(frame(headersFrame, flagEndHeaders | flagEndStream, stream, packed));
    };
    const onFrame = (type: number, flags: number, stream: number, payload: Buffer): void => {
      if (type === settingsFrame) onSettings(flags, payload);
      if (type !== headersFrame && type !== continuationFrame) return;
      const padding = flags & flagPadded ? payload.readUInt8(0) + 1 : 0;
      const start = (padding > 0 ? 1 : 0) + (type === headersFrame && flags & flagPriority ? 5 : 0);
      const part = payload.subarray(start, payload.length - Math.max(0, padding - 1));
      block = type === headersFrame ? part : Buffer.concat([block, part]);
      if (flags & flagEndHeaders) onBlock(stream);
    };
    let at = 24; // the preface
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      while (seen.length >= at + 9) {
        const end = at + 9 + seen.readUIntBE(at, 3);
        if (seen.length < end) return;
        const head = seen.subarray(at, at + 9);
        onFrame(head.readUInt8(3), head.readUInt8(4), head.readUInt32BE(5), seen.subarray(at + 9, end));
        at = end;
      }
    });
  }
}

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function connected(maxTableBytes: number, headerTableSize: number): Promise<[EchoingServer, ClientHttp2Session]> {
  const server = new EchoingServer(maxTableBytes);
  cleanups.push(() => server.close());
  const port = await server.listen();
  const client = connect(`http://127.0.0.1:${port}`, { settings: { headerTableSize }, maxHeaderListPairs: 1000 });
  client.on('error', () => {});
  cleanups.push(
    () =>
      new Promise((done) => {
        if (client.destroyed) return done();
        client.once('close', done);
        client.destroy();
      }),
  );
  await new Promise((done) => client.once('remoteSettings', done));
  return [server, client];
}

function exchange(client: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const request = client.request(headers, { endStream: true });
    request.on('response', (answer) => resolve({ ...answer }));
    request.on('error', reject);
    request.on('close', () => reject(new Error(`closed with ${request.rstCode}`)));
    request.resume();
  });
}

/** Requests as a client sends them: much the same each time, and something new in each. */
const request = (at: number): Record<string, string> => ({
  ':path': `/users.service.v1.UserService/Get${at % 7}`,
  'content-type': 'application/grpc+proto',
  te: 'trailers',
  'user-agent': 'grpc-node-js/1.14.7',
  'grpc-timeout': `${5000 - at}m`,
  'x-request-id': `4bf92f3577b34da6a3ce929d0e0e${at}`,
  authorization: `Bearer ${'s'.repeat(1 + (at % 40))}`,
  [`x-name-${at % 50}`]: 'v'.repeat((at * 37) % 600),
  'x-octets': String.fromCharCode(...Array.from({ length: 40 }, (_, octet) => 0x80 + ((at + octet * 3) % 0x80))),
});

describe('a connection with node:http2', () => {
  it.each([
    { announced: 4096, allowed: 4096 },
    { announced: 0, allowed: 0 },
    { announced: 200, allowed: 300 },
    { announced: 65_536, allowed: 65_536 },
  ])('carries all fields both ways, with tables of $announced and $allowed octets', async ({ announced, allowed }) => {
    const [server, client] = await connected(announced, allowed);

    for (let at = 0; at < 150; at += 1) {
      const headers = request(at);
      const sent = { ...headers, [sensitiveHeaders]: ['authorization'] };
      const { ':path': path, ...echoed } = headers;

      expect(await exchange(client, sent)).toMatchObject({ ':status': 200, ...echoed });
      const received = Object.fromEntries(server.requests.at(-1)!.map(({ name, value }) => [name, value]));
      expect(received).toMatchObject({ ':method': 'GET', ':path': path, ...echoed });
    }
  });

  it('follows a table that changes its size while requests go on', async () => {
    const [server, client] = await connected(4096, 4096);

    for (let at = 0; at < 60; at += 1) {
      if (at % 10 === 5) client.settings({ headerTableSize: (at * 997) % 5000 });
      const { ':path': path, ...echoed } = request(at);

      expect(await exchange(client, { ':path': path, ...echoed })).toMatchObject({ ':status': 200, ...echoed });
    }
    expect(server.requests).toHaveLength(60);
  });

  it('agrees on the Huffman code of each octet that a value may have', async () => {
    const [server, client] = await connected(4096, 4096);
    const octets = [9, ...Array.from({ length: 256 - 32 }, (_, at) => at + 32)].filter((octet) => octet !== 127);
    // Digits before and after, so that the value as a whole is shorter in Huffman code.
    const values = octets.map((octet) => `11111111111111111111${String.fromCharCode(octet)}00000`);
    const headers = Object.fromEntries(values.map((value, at) => [`x-${at}`, value]));

    expect(await exchange(client, headers)).toMatchObject(headers);
    expect(server.requests[0]).toEqual(expect.arrayContaining(values.map((value, at) => ({ name: `x-${at}`, value }))));
  });

  it('agrees on the names of the static table', async () => {
    const [server, client] = await connected(4096, 4096);
    // Without the pseudo-headers, and what HTTP/2 forbids. A length of 0 is the only one that is right here.
    const names = staticNames.filter((name) => /^[a-z]/.test(name) && name !== 'transfer-encoding');

    await exchange(client, Object.fromEntries(names.map((name) => [name, '0'])));

    expect(names).toHaveLength(46);
    expect(server.requests[0]?.filter(({ value }) => value === '0').map(({ name }) => name)).toEqual(names);
  });
});
