/** Bytes of one turn of one connection that leave in one write. */
export const writeBufferBytes = 65_536;

// 64 buffers are 4 MiB: as many connections may have output in the same turn before buffers are made and thrown away.
const keptBuffers = 64;

const free: Buffer[] = [];

/** Connections hold a buffer only while they have output, so that idle ones cost none. */
export function takeWriteBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(writeBufferBytes);
}

/** Only for buffers that nobody reads any more. */
export function giveWriteBuffer(buffer: Buffer): void {
  if (free.length < keptBuffers && buffer.length === writeBufferBytes) free.push(buffer);
}
