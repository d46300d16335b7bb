import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

// GOAWAY on stream 0, 8 bytes: last stream 2^31-1, NO_ERROR (RFC 9113 section 6.8).
const frame = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** `wait`: try again soon. `never`: this connection cannot be told. */
export type EarlyGoaway = 'sent' | 'wait' | 'never';

/**
 * Sends the first of the two GOAWAY frames of a graceful close: "open no more streams; those on the way are served".
 *
 * `session.goaway()` cannot do it: whatever last stream id it is given, nghttp2 then ignores new streams and Node stops
 * reading as soon as none is open (measured on 24.21), so requests on the way are lost and not even a PING is answered.
 * So the frame is written past the session, straight to the file descriptor. Node hands nghttp2's frames to the kernel
 * whole, so with nothing queued in between we are at a frame boundary. A socket whose queue is not empty waits.
 * On TLS nobody but the session may write (Node aborts when two writes meet): such a connection gets the final frame only.
 */
export function sendEarlyGoaway(socket: Socket): EarlyGoaway {
  const handle = Reflect.get(socket, '_handle') as { fd?: unknown; writeQueueSize?: unknown } | null | undefined;
  if (socket instanceof TLSSocket || typeof handle?.fd !== 'number' || handle.fd < 0) return 'never';
  if (handle.writeQueueSize !== 0) return 'wait';
  try {
    if (writeSync(handle.fd, frame) === frame.length) return 'sent';
    // The kernel took a part: the frames after it would be misread.
    socket.destroy();
    return 'never';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'wait' : 'never';
  }
}
