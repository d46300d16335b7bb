import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PeerQueue, type PeerWaiting } from './peer-queue.js';
import { WorkMeter } from './work-meter.js';

describe('PeerQueue', () => {
  const [a, b] = [new WorkMeter(), new WorkMeter()];
  const member = (name: string, peerWork: WorkMeter | undefined): PeerWaiting & { name: string } => ({
    name,
    peerWork,
    place: undefined,
    onTurn: () => {},
  });
  const names = (queue: PeerQueue): string[] => {
    const all: string[] = [];
    for (let next = queue.take(); next !== undefined; next = queue.take())
      all.push((next as PeerWaiting & { name: string }).name);
    return all;
  };

  it('takes one of each peer in turn, in the order in which they came', () => {
    const queue = new PeerQueue();
    for (const name of ['a1', 'a2', 'a3', 'a4']) queue.add(member(name, a));
    for (const name of ['b1', 'b2']) queue.add(member(name, b));
    queue.add(member('c1', undefined));

    expect(names(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
    expect(queue.isEmpty).toBe(true);
  });

  it('forgets one that does not wait any more, and a peer that has none', () => {
    const queue = new PeerQueue();
    const [first, second] = [member('a1', a), member('b1', b)];
    queue.add(first);
    queue.add(second);

    expect(queue.delete(first)).toBe(true);
    expect(queue.delete(first)).toBe(false);
    expect(names(queue)).toEqual(['b1']);
    expect(queue.isEmpty).toBe(true);
  });

  it('does not lose one that comes while its peer has its turn', () => {
    const queue = new PeerQueue();
    queue.add(member('a1', a));
    queue.take();
    queue.add(member('a2', a));

    expect(names(queue)).toEqual(['a2']);
  });

  it('takes what is left where members have left, at the front, in the middle and at the end', () => {
    const queue = new PeerQueue();
    const members = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((name) => member(name, name.startsWith('a') ? a : b));
    for (const one of members) queue.add(one);
    for (const at of [0, 2, 3, 4]) queue.delete(members[at] as PeerWaiting);
    queue.add(member('a5', a));

    expect(names(queue)).toEqual(['a2', 'b2', 'a5']);
    expect(queue.isEmpty).toBe(true);
  });

  it('takes again one that has left and waits again', () => {
    const queue = new PeerQueue();
    const [first, second] = [member('a1', a), member('a2', a)];
    queue.add(first);
    queue.delete(first);
    queue.add(second);
    queue.add(first);

    expect(names(queue)).toEqual(['a2', 'a1']);
  });

  it('does not take out of another queue', () => {
    const [queue, other] = [new PeerQueue(), new PeerQueue()];
    const one = member('a1', a);
    queue.add(one);

    expect(other.delete(one)).toBe(false);
    expect(names(queue)).toEqual(['a1']);
  });

  it('keeps nothing of members that have left, while others wait', () => {
    const queue = new PeerQueue();
    const [waiting, other] = [member('a1', a), member('b1', b)];
    queue.add(waiting);
    queue.add(other);
    const last = member('b2', b);
    queue.add(last);
    const { peer } = last.place as NonNullable<PeerWaiting['place']>;

    queue.delete(other);
    queue.delete(last);

    expect([peer.first, peer.last, other.place, last.place]).toEqual([undefined, undefined, undefined, undefined]);
    expect(names(queue)).toEqual(['a1']);
  });

  it('holds what was added and has not left, in any order of events', () => {
    const peers = [a, b, undefined];
    const step = fc.record({ isNew: fc.boolean(), pick: fc.nat(50), isTaken: fc.boolean() });
    const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new PeerQueue();
      const there = new Set<PeerWaiting>();
      const surprises: unknown[] = [];
      for (const { isNew, pick, isTaken } of steps) {
        const some = [...there][pick % Math.max(1, there.size)];
        if (isNew || some === undefined) {
          const one = member('x', peers[pick % peers.length]);
          queue.add(one);
          there.add(one);
        } else if (!there.delete(isTaken ? (queue.take() as PeerWaiting) : some)) surprises.push('taken twice');
        else if (!isTaken && !queue.delete(some)) surprises.push('not there');
        if (queue.isEmpty !== (there.size === 0)) surprises.push('emptiness');
      }
      expect(surprises).toEqual([]);
      expect(names(queue)).toHaveLength(there.size);
    });

    fc.assert(property, { numRuns: 500 });
  });
});
