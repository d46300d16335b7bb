import { describe, expect, it } from 'vitest';
import { peerGroupOf } from './peer-group.js';
import { Bound, boundNames, type Holder, type ShareLimits, Shares } from './shares.js';

function limitsOf(limit: number, shares: Partial<ShareLimits> = {}): ShareLimits {
  return { limits: boundNames.map(() => limit), peerShare: 0.5, connectionShare: 0.75, ...shares };
}

/** Takes until it is refused, and returns how much that was and who refused. */
function fill(shares: Shares, ...holders: Holder[]): readonly [taken: number, by: unknown] {
  for (let taken = 0; ; taken += 1) {
    const by = shares.take(Bound.requests, holders[taken % holders.length] as Holder);
    if (by !== undefined) return [taken, by];
  }
}

/** Holders that take in turn until none of them gets more. */
function fillEach(shares: Shares, holders: readonly Holder[]): number[] {
  let isMoving = true;
  while (isMoving) {
    isMoving = false;
    for (const holder of holders) if (shares.take(Bound.requests, holder) === undefined) isMoving = true;
  }
  return holders.map(({ inUse }) => inUse[Bound.requests] as number);
}

interface Given {
  readonly peerShare: number;
  readonly connectionShare: number;
  readonly limit: number;
}

/** As the documentation of `Shares` has it, step by step. */
function expectedRefusal(shares: Shares, holder: Holder, amount: number, given: Given): string | undefined {
  const room = (own: number, free: number, most: number, share: number): number => {
    if (share >= 1) return free;
    const factor = share / (1 - share);
    return (factor * (own < most / 64 ? free : free - most / 8) - own) / (1 + factor);
  };
  const free = given.limit - (shares.inUse[Bound.requests] as number);
  const ofPeer = holder.peer.inUse[Bound.requests] as number;
  const forPeer = room(ofPeer, free, given.limit, given.peerShare);
  if (free < amount) return 'process';
  if (forPeer <= 0) return 'peer';
  const own = holder.inUse[Bound.requests] as number;
  return room(own, forPeer, forPeer + ofPeer, given.connectionShare) > 0 ? undefined : 'connection';
}

describe('Shares', () => {
  it('gives one peer its share of the limit, whatever it has of connections', () => {
    const shares = new Shares(limitsOf(1000));
    const connections = Array.from({ length: 500 }, () => shares.open('10.0.0.1'));

    // Half of the seven eighths that are not kept.
    expect(fill(shares, ...connections)).toEqual([438, 'peer']);
    expect(fill(shares, shares.open('10.0.0.2'))[0]).toBeGreaterThan(90);
  });

  it('gives one connection its share of what its peer gets', () => {
    const shares = new Shares(limitsOf(1000));

    expect(fill(shares, shares.open('10.0.0.1'))).toEqual([288, 'connection']);
    expect(fill(shares, shares.open('10.0.0.1'))[0]).toBeGreaterThan(50);
  });

  it('leaves room to those that come after many that took all they could, one after the other', () => {
    const shares = new Shares(limitsOf(10_000));
    for (let at = 0; at < 8; at += 1) fill(shares, ...Array.from({ length: 50 }, () => shares.open(`10.0.0.${at}`)));

    expect(10_000 - (shares.inUse[Bound.requests] as number)).toBeGreaterThan(1000);
    expect(fill(shares, shares.open('10.0.1.0'))[0]).toBeGreaterThan(100);
  });

  it('leaves room to a connection whose neighbours took all they could, one after the other', () => {
    const shares = new Shares(limitsOf(10_000));
    for (let at = 0; at < 10; at += 1) fill(shares, shares.open('10.0.0.1'));

    expect(fill(shares, shares.open('10.0.0.1'))[0]).toBeGreaterThan(5);
  });

  it('leaves room for another, the less the more take all they can', () => {
    for (const peers of [2, 4, 16, 64]) {
      const shares = new Shares(limitsOf(10_000, { connectionShare: 1 }));
      const holders = Array.from({ length: peers }, (_, at) => shares.open(`10.0.0.${at}`));
      const taken = fillEach(shares, holders);

      expect(Math.max(...taken) - Math.min(...taken)).toBeLessThanOrEqual(1);
      expect(10_000 - (shares.inUse[Bound.requests] as number)).toBeGreaterThan(150);
      expect(fill(shares, shares.open('10.0.1.0'))[0]).toBeGreaterThan(0);
    }
  });

  it('lets one have all of it where the shares are 1', () => {
    const shares = new Shares(limitsOf(100, { peerShare: 1, connectionShare: 1 }));

    expect(fill(shares, shares.open('10.0.0.1'))).toEqual([100, 'process']);
    expect(shares.refused.process[Bound.requests]).toBe(1);
  });

  it.each([1, 2, 7])('does not divide %i', (limit) => {
    const shares = new Shares(limitsOf(limit));

    expect(fill(shares, shares.open('10.0.0.1'))).toEqual([limit, 'process']);
  });

  it('counts the addresses of one network as one peer', () => {
    const shares = new Shares(limitsOf(1000, { connectionShare: 1 }));
    const holders = ['2001:db8::1', '2001:db8:0:0:ffff::9', '2001:db8::2'].map((address) => shares.open(address));

    expect(shares.peerCount).toBe(1);
    expect(fill(shares, ...holders)).toEqual([438, 'peer']);
  });

  it('applies changed limits to what is in use already', () => {
    const shares = new Shares(limitsOf(1000));
    const holder = shares.open('10.0.0.1');
    fill(shares, holder);
    shares.adjust(limitsOf(100));

    expect(shares.take(Bound.requests, shares.open('10.0.0.2'))).toBe('process');
  });

  it('forgets a peer with the last of its connections, and the bytes with each', () => {
    const shares = new Shares(limitsOf(1000));
    const [one, two] = [shares.open('10.0.0.1'), shares.open('10.0.0.1')];
    one.charge(300);
    expect(two.tryCharge(200)).toBe(true);
    expect(two.tryCharge(600)).toBe(false);

    one.close();
    one.close();
    expect([shares.peerCount, shares.inUse[Bound.bytes]]).toEqual([1, 200]);
    one.charge(50);
    two.close();
    expect([shares.peerCount, shares.inUse[Bound.bytes], shares.refused.process[Bound.bytes]]).toEqual([0, 0, 1]);
  });
});

describe('peerGroupOf', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:0002::', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
    ['unix', 'unix'],
  ])('%s: %s', (address, group) => {
    expect(peerGroupOf(address)).toBe(group);
  });

  it('refuses exactly where the share of a peer or of a connection ends, however much all together use', () => {
    for (const [peerShare, connectionShare, limit] of [
      [0.5, 0.75, 1000],
      [0.1, 0.3, 977],
      [1, 0.75, 400],
      [0.9, 1, 64],
      [1, 1, 100],
      [0.01, 0.01, 10_000],
    ] as const) {
      const shares = new Shares(limitsOf(limit, { peerShare, connectionShare }));
      const holders = Array.from({ length: 12 }, (_, at) => shares.open(`10.0.0.${at % 4}`));
      let state = limit;
      const random = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below;

      for (let step = 0; step < 4000; step += 1) {
        const holder = holders[random(random(12) + 1)] as Holder;
        const used = holder.inUse[Bound.requests] as number;
        if (random(5) === 0) shares.add(Bound.requests, holder, -random(used + 1));
        const amount = 1 + random(3);

        expect(shares.full(Bound.requests, holder, amount)).toBe(
          expectedRefusal(shares, holder, amount, { peerShare, connectionShare, limit }),
        );
        shares.take(Bound.requests, holder, amount);
      }
    }
  });
});

describe('what a peer has taken of the time', () => {
  it('is not forgotten when it comes with a new connection each time', () => {
    const shares = new Shares(limitsOf(100));
    const first = shares.open('10.0.0.1');
    first.peerWork.charge(100, performance.now());
    first.close();

    const second = shares.open('10.0.0.1');

    expect(second.peerWork.isHeavy(performance.now())).toBe(true);
    expect(shares.open('10.0.0.2').peerWork.isHeavy(performance.now())).toBe(false);
  });

  it('adds up over connections that take little each', () => {
    const shares = new Shares(limitsOf(100));
    const nowMs = performance.now();
    for (let count = 0; count < 3; count += 1) {
      const holder = shares.open('10.0.0.1');
      holder.peerWork.charge(15, nowMs);
      holder.close();
    }

    expect(shares.open('10.0.0.1').peerWork.isHeavy(nowMs)).toBe(true);
  });

  it('is kept for a bounded number of peers', () => {
    const shares = new Shares(limitsOf(100));
    const come = (index: number): Holder => shares.open(`10.0.${index >> 8}.${index & 255}`);
    for (let index = 0; index < 1100; index += 1) {
      const holder = come(index);
      holder.peerWork.charge(1e9, performance.now());
      holder.close();
    }

    const isKept = [0, 75, 76, 1099].map((index) => come(index).peerWork.isHeavy(performance.now()));

    expect([isKept, shares.peerCount]).toEqual([[false, false, true, true], 4]);
  });
});
