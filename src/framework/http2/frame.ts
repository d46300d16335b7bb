/** What is on the wire: RFC 9113 sections 4.1 and 6. */
export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const Flag = { none: 0, endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const frameHeaderBytes = 9;

/** The smallest SETTINGS_MAX_FRAME_SIZE there is, and the one until told otherwise: section 4.2. */
export const defaultMaxFrameBytes = 16_384;

/** The largest SETTINGS_MAX_FRAME_SIZE there is: section 6.5.2. */
export const largestFrameBytes = 0xff_ffff;

/** Flow-control window of the connection and of each stream until told otherwise: section 6.9.2. */
export const defaultWindowBytes = 65_535;

/** No window may be larger: section 6.9.1. */
export const largestWindowBytes = 0x7fff_ffff;

export const largestStreamId = 0x7fff_ffff;

/** What a client sends first: section 3.4. */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

/** 31 bits after one reserved bit, which is ignored: sections 4.1 and 6.9. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) & 0x7f) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
