import { ErrorCode } from './error-code.js';
import {
  defaultMaxFrameBytes,
  defaultWindowBytes,
  largestFrameBytes,
  largestWindowBytes,
  readUint32,
  writeUint32,
} from './frame.js';
import { Http2ConnectionError } from './http2.errors.js';

/** RFC 9113 section 6.5.2. */
export const Setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

const settingBytes = 6;

/** Whose table the peer sizes. */
export interface TableOwner {
  setMaxTableBytes(bytes: number): void;
}

/** What the peer has asked for, so far as a server heeds it. */
export class PeerSettings {
  windowBytes = defaultWindowBytes;
  maxFrameBytes = defaultMaxFrameBytes;
  /** Names, values and 32 for each field of a block: section 6.5.2. */
  maxHeaderListBytes = Number.POSITIVE_INFINITY;

  /**
   * Takes over the payload of a SETTINGS frame: RFC 9113 section 6.5. Unknown settings are ignored.
   *
   * @throws Http2ConnectionError  a value is out of range
   */
  apply(bytes: Uint8Array, start: number, end: number, encoder: TableOwner): void {
    for (let at = start; at + settingBytes <= end; at += settingBytes) {
      const id = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
      const value = readUint32(bytes, at + 2);
      // Each in its turn: 0 and then 4096 empties the table, RFC 7541 section 4.2.
      if (id === Setting.headerTableSize) encoder.setMaxTableBytes(value);
      else this.#set(id, value);
    }
  }

  #set(id: number, value: number): void {
    if (id === Setting.enablePush) {
      if (value > 1) throw outOfRange('ENABLE_PUSH', value, ErrorCode.protocolError);
    } else if (id === Setting.initialWindowSize) {
      if (value > largestWindowBytes) throw outOfRange('INITIAL_WINDOW_SIZE', value, ErrorCode.flowControlError);
      this.windowBytes = value;
    } else if (id === Setting.maxFrameSize) {
      if (value < defaultMaxFrameBytes || value > largestFrameBytes) {
        throw outOfRange('MAX_FRAME_SIZE', value, ErrorCode.protocolError);
      }
      this.maxFrameBytes = value;
    } else if (id === Setting.maxHeaderListSize) {
      this.maxHeaderListBytes = value;
    }
  }
}

function outOfRange(name: string, value: number, code: number): Http2ConnectionError {
  return new Http2ConnectionError(code, `SETTINGS_${name}: ${value} is out of range`);
}

/** Payload of a SETTINGS frame. */
export function encodeSettings(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * settingBytes);
  let at = 0;
  for (const [id, value] of settings) {
    payload.writeUInt16BE(id, at);
    writeUint32(payload, at + 2, value);
    at += settingBytes;
  }
  return payload;
}
