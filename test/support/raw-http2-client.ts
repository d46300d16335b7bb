import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  clientPreface,
  Flag,
  frameHeaderBytes,
  FrameType,
  readUint31,
  readUint32,
  writeUint32,
} from '../../src/framework/http2/frame.js';
import { type HeaderField, HpackDecoder, HpackEncoder } from '../../src/framework/http2/hpack/index.js';

export { Flag, FrameType };

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  writeUint32(bytes, 5, streamId);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}

export const settings = (...each: Buffer[]): Buffer => frame(FrameType.settings, 0, 0, Buffer.concat(each));

/** A request as most tests want it. */
export function requestFields(path = '/', more: Record<string, string> = {}, method = 'POST'): HeaderField[] {
  const all = { ':method': method, ':scheme': 'http', ':path': path, ':authority': 'test', ...more };
  return Object.entries(all).map(([name, value]) => ({ name, value }));
}

/** Encodes as clients do, with a dynamic table, so blocks are to be sent in the order in which they were made. */
export class BlockEncoder {
  readonly #encoder = new HpackEncoder({ maxTableBytes: 4096 });

  block(fields: readonly HeaderField[]): Buffer {
    const target = Buffer.alloc(this.#encoder.maxEncodedBytes(fields));
    return target.subarray(0, this.#encoder.encode(fields, target, 0));
  }

  headers(streamId: number, fields: readonly HeaderField[], flags: number = Flag.endStream): Buffer {
    return frame(FrameType.headers, flags | Flag.endHeaders, streamId, this.block(fields));
  }
}

/** A client that sends what it is told to, right or wrong, and notes what comes back. */
export class RawClient extends BlockEncoder {
  readonly frames: RawFrame[] = [];
  readonly decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1 << 20 });
  readonly socket: Socket;
  isClosed = false;
  #rest = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#parse(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** @param acknowledges whether it says that it has our SETTINGS, without having seen them */
  static async connect(port: number, first: Buffer = settings(), acknowledges = true): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    // Requests that follow each other do not wait for each other's acknowledgement.
    socket.setNoDelay(true);
    const client = new RawClient(socket);
    client.send(clientPreface, first, ...(acknowledges ? [frame(FrameType.settings, Flag.ack, 0)] : []));
    return client;
  }

  send(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** The first frame for which `matches` holds, now or later. Fails when the connection ends without it. */
  async until(matches: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error('the connection ended without the frame that was waited for');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Looks again whenever something has come. */
  async when(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isClosed) throw new Error('the connection ended without what was waited for');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async untilClosed(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Code of the last GOAWAY, once the connection has ended. */
  async goawayCode(): Promise<number | undefined> {
    await this.untilClosed();
    const last = this.of(FrameType.goaway).at(-1);
    return last === undefined ? undefined : readUint32(last.payload, 4);
  }

  async resetCode(streamId: number): Promise<number> {
    const reset = await this.until((each) => each.type === FrameType.rstStream && each.streamId === streamId);
    return readUint32(reset.payload, 0);
  }

  /** Waits for the end of a stream, and returns its body. */
  async body(streamId: number): Promise<Buffer> {
    await this.until((each) => each.streamId === streamId && isEnd(each));
    return Buffer.concat(this.of(FrameType.data, streamId).map((each) => each.payload));
  }

  /** Fields of all HEADERS of a stream, in order; each block is to be decoded once. */
  decode(block: RawFrame): Record<string, string> {
    const fields: Record<string, string> = {};
    this.decoder.decode(block.payload, 0, block.payload.length, (name, value) => {
      fields[name] = value;
    });
    return fields;
  }

  of(type: number, streamId?: number): RawFrame[] {
    return this.frames.filter((each) => each.type === type && (streamId === undefined || each.streamId === streamId));
  }

  /** All that was sent before has been dealt with. */
  async roundTrip(): Promise<void> {
    const before = this.of(FrameType.ping).length;
    this.send(frame(FrameType.ping, 0, 0, Buffer.alloc(8)));
    await this.when(() => this.of(FrameType.ping).length > before);
  }

  close(): void {
    this.socket.destroy();
  }

  #parse(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= frameHeaderBytes) {
      const end = frameHeaderBytes + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const payload = this.#rest.subarray(frameHeaderBytes, end);
      this.frames.push({ type, flags, streamId: readUint31(this.#rest, 5), payload });
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function isEnd({ type, flags }: RawFrame): boolean {
  return type === FrameType.rstStream || (type <= FrameType.headers && (flags & Flag.endStream) !== 0);
}
