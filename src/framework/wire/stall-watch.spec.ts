import { describe, expect, it } from 'vitest';
import { StallWatch } from './stall-watch.js';

/** A socket of which `sent` bytes of those given have been passed on, `partly` of them within the write under way. */
function socketOf(given: number) {
  return {
    sent: 0,
    partly: 0,
    bytesWritten: given,
    get writableLength(): number {
      return this.bytesWritten - this.sent;
    },
    get _handle() {
      return { writeQueueSize: this.bytesWritten - this.sent - this.partly };
    },
  };
}

describe('StallWatch', () => {
  it('counts from the last look at which something had been passed on', () => {
    const socket = socketOf(1000);
    const watch = new StallWatch(socket);

    const looks = [1000, 1250, 1500].map((nowMs) => watch.look(nowMs));
    socket.sent = 1;
    looks.push(watch.look(1750), watch.look(2000));

    expect(looks).toEqual([0, 250, 500, 0, 250]);
    expect(watch.waitingBytes).toBe(999);
  });

  it('sees that other bytes wait, where they are as many', () => {
    const socket = socketOf(65_536);
    const watch = new StallWatch(socket);
    watch.look(0);

    socket.sent += 65_536;
    socket.bytesWritten += 65_536;

    expect(watch.look(250)).toBe(0);
    expect(watch.waitingBytes).toBe(65_536);
  });

  it('sees what is passed on of one large write', () => {
    const socket = socketOf(200_000_000);
    const watch = new StallWatch(socket);
    watch.look(0);

    socket.partly = 1;

    expect(watch.look(250)).toBe(0);
    expect(watch.look(500)).toBe(250);
  });

  it('does not count while nothing waits, nor before something did', () => {
    const socket = socketOf(0);
    const watch = new StallWatch(socket);

    expect([watch.look(0), watch.look(10_000)]).toEqual([0, 0]);
    socket.bytesWritten = 10;
    expect([watch.look(10_250), watch.look(10_500)]).toEqual([0, 250]);
  });

  it('does without a handle', () => {
    const watch = new StallWatch({ writableLength: 5, bytesWritten: 5 });

    expect([watch.look(1000), watch.look(1250)]).toEqual([0, 250]);
  });
});
