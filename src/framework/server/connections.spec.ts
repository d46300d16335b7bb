import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Bound, boundNames, Shares } from '../core/index.js';
import { type Connection, ConnectionTable } from './connections.js';

/** What of a socket the table looks at. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  closed = false;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.emit('close');
  }
}

function tableOf(limit: number): {
  shares: Shares;
  table: ConnectionTable;
  add(address: string): Connection | undefined;
} {
  const shares = new Shares({ limits: boundNames.map(() => limit), peerShare: 0.5, connectionShare: 1 });
  const table = new ConnectionTable(shares);
  return { shares, table, add: (address) => table.add(new FakeSocket(address) as unknown as Socket) };
}

const counted = ({ inUse, peerCount }: Shares): number[] => [
  inUse[Bound.connections] as number,
  inUse[Bound.handshakes] as number,
  peerCount,
];

describe('ConnectionTable', () => {
  it('counts connections by peer, and those that have not spoken apart', () => {
    const { shares, add } = tableOf(10);
    const [one, two] = [add('10.0.0.1'), add('10.0.0.2')] as [Connection, Connection];

    expect(counted(shares)).toEqual([2, 2, 2]);
    one.become('handshaking');
    one.become('http2');
    one.become('http1');
    expect(counted(shares)).toEqual([2, 1, 2]);
    one.socket.destroy();
    two.socket.destroy();
    expect(counted(shares)).toEqual([0, 0, 0]);
  });

  it('closes what is beyond the share of a peer, and no connection of another', () => {
    const { shares, table, add } = tableOf(10);
    const opened = Array.from({ length: 8 }, () => add('10.0.0.1'));

    expect(opened.filter((connection) => connection !== undefined)).toHaveLength(5);
    expect([table.counts.refused, shares.refused.peer[Bound.connections], add('10.0.0.2') !== undefined]).toEqual([
      3,
      3,
      true,
    ]);
    for (const connection of opened) connection?.socket.destroy();
    expect(counted(shares)).toEqual([1, 1, 1]);
  });

  it('counts a connection for the peer that a proxy names, if that has room', () => {
    const { shares, add } = tableOf(10);
    const proxied = Array.from({ length: 5 }, () => add('10.0.0.1') as Connection);
    const moved = proxied.map((connection) => connection.moveTo('192.0.2.1'));
    const more = Array.from({ length: 2 }, () => (add('10.0.0.1') as Connection).moveTo('192.0.2.1'));

    expect([moved, more]).toEqual([
      [true, true, true, true, true],
      [false, false],
    ]);
    expect(proxied.map(({ holder }) => holder.address)).toEqual(Array.from({ length: 5 }, () => '192.0.2.1'));
    expect(counted(shares)).toEqual([7, 7, 2]);
  });
});
