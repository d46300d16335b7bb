import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ServerOptions } from './server.options.js';

function problemsOf(plain: object): string[] {
  const options = plainToInstance(ServerOptions, plain, { exposeDefaultValues: true });
  return validateSync(options, { whitelist: true, forbidNonWhitelisted: true }).flatMap(
    ({ property, constraints, children }) => [
      ...Object.keys(constraints ?? {}).map((rule) => `${property}: ${rule}`),
      ...(children ?? []).flatMap((child) =>
        Object.keys(child.constraints ?? {}).map((rule) => `${property}.${child.property}: ${rule}`),
      ),
    ],
  );
}

describe('ServerOptions', () => {
  it('is valid as it stands', () => {
    expect(problemsOf({})).toEqual([]);
  });

  it.each([
    [{ port: 70_000 }, 'port: max'],
    [{ host: '' }, 'host: isNotEmpty'],
    [{ graceMs: -1 }, 'graceMs: min'],
    [{ tls: { certFile: '/a.crt' } }, 'tls: hasCertificateWithKey'],
    [{ tls: { keyFile: '/a.key' } }, 'tls: hasCertificateWithKey'],
    [{ tls: { clientCaFile: '/ca.crt' } }, 'tls: hasCertificateWithKey'],
    [{ http2: { maxConcurrentStreams: 0 } }, 'http2.maxConcurrentStreams: min'],
    [{ http2: { windowBytes: 1 } }, 'http2.windowBytes: whitelistValidation'],
  ])('refuses %j', (plain, problem) => {
    expect(problemsOf(plain)).toEqual([problem]);
  });

  it('takes a certificate with its key, and an authority beside them', () => {
    expect(problemsOf({ tls: { certFile: '/a.crt', keyFile: '/a.key', clientCaFile: '/ca.crt' } })).toEqual([]);
  });
});
