import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';

// More than Node has wait by default, less than the kernel lets wait on any machine of today.
const count = 1000;

let service: ChildService;

beforeAll(async () => {
  service = await ChildService.start();
}, 60_000);

afterAll(async () => {
  await service.dispose();
});

describe('a thousand connections at once', () => {
  it('wait in the kernel while the process stands still, and are all served', async () => {
    expect(Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))).toBeGreaterThanOrEqual(count);
    const sockets: Socket[] = [];
    let connected = 0;
    let answered = 0;
    service.kill('SIGSTOP');
    try {
      for (let at = 0; at < count; at += 1) {
        const socket = connect(service.port, '127.0.0.1', () => (connected += 1));
        socket.on('error', () => {});
        socket.once('data', () => (answered += 1));
        socket.write('GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n');
        sockets.push(socket);
      }
      // A SYN that finds no room is sent again after a second, and again after two more.
      await eventually('all are connected', () => connected === count, 900);
    } finally {
      service.kill('SIGCONT');
    }
    await eventually('all are answered', () => answered === count);
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});
