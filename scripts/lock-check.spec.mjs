import { describe, expect, it } from 'vitest';
import { hostsNamed, missingOptional, repaired, unverified } from './lock-check.mjs';

const integrity = 'sha512-AA==';

/** A tool with one program per system, of which the registry had only the one for Linux. */
const gap = {
  lockfileVersion: 3,
  packages: {
    '': {},
    'node_modules/tool': {
      version: '2.0.0',
      integrity,
      optionalDependencies: { '@tool/linux': '2.0.0', '@tool/mac': '2.0.0' },
    },
    'node_modules/@tool/linux': { version: '2.0.0', integrity, optional: true },
  },
};

describe('missingOptional', () => {
  it('finds an optional package that has no entry', () => {
    expect([...missingOptional(gap)]).toEqual([['node_modules/@tool/mac', '2.0.0']]);
  });

  it('looks beside the package and in every folder above it, as Node does', () => {
    const lock = {
      packages: {
        'node_modules/a': { version: '1.0.0', integrity },
        'node_modules/a/node_modules/b': {
          version: '1.0.0',
          integrity,
          optionalDependencies: { c: '1', d: '1', e: '1' },
        },
        'node_modules/a/node_modules/b/node_modules/c': { version: '1.0.0', integrity },
        'node_modules/a/node_modules/d': { version: '1.0.0', integrity },
        'node_modules/e': { version: '1.0.0', integrity },
      },
    };

    expect([...missingOptional(lock)]).toEqual([]);
  });

  it('keeps two versions of one package apart', () => {
    const lock = {
      packages: {
        'node_modules/a': { version: '1.0.0', integrity, optionalDependencies: { mac: '1.0.0' } },
        'node_modules/b': { version: '1.0.0', integrity, optionalDependencies: { mac: '2.0.0' } },
      },
    };

    expect([...missingOptional(lock)]).toEqual([
      ['node_modules/mac', '1.0.0'],
      ['node_modules/b/node_modules/mac', '2.0.0'],
    ]);
  });
});

describe('repaired', () => {
  it('adds an entry for no system at all, in the place where npm would sort it', () => {
    const lock = repaired(gap);

    expect(Object.entries(lock.packages)).toEqual([
      ['', {}],
      ['node_modules/@tool/linux', { version: '2.0.0', integrity, optional: true }],
      ['node_modules/@tool/mac', { version: '2.0.0', optional: true, os: ['none'], cpu: ['none'] }],
      ['node_modules/tool', gap.packages['node_modules/tool']],
    ]);
    expect([...missingOptional(lock)]).toEqual([]);
  });

  it('forgets the host that a package came from', () => {
    const resolved = 'https://packages.example/a/-/a-1.0.0.tgz';
    const lock = { packages: { 'node_modules/a': { version: '1.0.0', integrity, resolved } } };

    expect(hostsNamed(lock)).toEqual(['node_modules/a']);
    expect(repaired(lock).packages).toEqual({ 'node_modules/a': { version: '1.0.0', integrity } });
  });
});

describe('unverified', () => {
  it('names entries without integrity, except the root, links and inert ones', () => {
    const lock = {
      packages: {
        '': {},
        'node_modules/bare': { version: '1.0.0' },
        'node_modules/linked': { link: true },
        'node_modules/inert': { version: '1.0.0', optional: true, os: ['none'], cpu: ['none'] },
      },
    };

    expect(unverified(lock)).toEqual(['node_modules/bare']);
  });
});
