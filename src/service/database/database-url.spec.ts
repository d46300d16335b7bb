import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from './database-url.js';

describe('parseDatabaseUrl', () => {
  it('reads a file, relative and absolute, and the database in memory', () => {
    expect(parseDatabaseUrl('sqlite:.data/rookery.db')).toMatchObject({ kind: 'sqlite', file: '.data/rookery.db' });
    expect(parseDatabaseUrl('sqlite:///var/lib/rookery.db')).toMatchObject({
      kind: 'sqlite',
      file: '/var/lib/rookery.db',
    });
    expect(parseDatabaseUrl('sqlite::memory:')).toMatchObject({ kind: 'sqlite', file: ':memory:' });
  });

  it('shows where a server is, and neither user nor password', () => {
    const address = parseDatabaseUrl('postgres://me:s3cret@db.example:6432/shop?sslmode=require');

    expect(address).toMatchObject({ kind: 'postgres', display: 'postgres://db.example:6432/shop' });
  });

  it.each(['', 'sqlite:', 'mysql://me:s3cret@host/db', 'postgres://me:s3cret@host:port/db', '.data/rookery.db'])(
    'refuses %j without repeating it',
    (url) => {
      expect(() => parseDatabaseUrl(url)).toThrow(/^database\.url: not a .*expected: sqlite:<file>/);
      expect(() => parseDatabaseUrl(url)).not.toThrow(/s3cret/);
    },
  );
});
