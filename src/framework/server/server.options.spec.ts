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
    [{ trustProxy: -1 }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: 33 }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: 1.5 }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: true }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: 'true' }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: null }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: ['10.0.0.0/33'] }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: ['localhost'] }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: [1] }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: '10.0.0.0/8,nonsense' }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: '["10.0.0.0/8"' }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: {} }, 'trustProxy: isProxyTrust'],
    [{ trustProxy: Array(1001).fill('::1') }, 'trustProxy: isProxyTrust'],
    [{ proxyProtocol: true }, 'proxyProtocol: isProxySenders'],
    [{ proxyProtocol: true, trustProxy: 1 }, 'proxyProtocol: isProxySenders'],
    [{ proxyProtocol: 1 }, 'proxyProtocol: isProxySenders'],
    [{ proxyProtocol: ['any'] }, 'proxyProtocol: isProxySenders'],
    [{ http2: { windowBytes: 1 } }, 'http2.windowBytes: whitelistValidation'],
  ])('refuses %j', (plain, problem) => {
    expect(problemsOf(plain)).toEqual([problem]);
  });

  it.each([
    [2, 2],
    ['2', 2],
    [' 2 ', 2],
    ['10.0.0.0/8,::1', ['10.0.0.0/8', '::1']],
    ['10.0.0.0/8 , ::1,', ['10.0.0.0/8', '::1']],
    ['["10.0.0.0/8","::1"]', ['10.0.0.0/8', '::1']],
    ['192.0.2.1', ['192.0.2.1']],
    ['', []],
    [['10.0.0.0/8'], ['10.0.0.0/8']],
    [undefined, []],
  ])('reads trustProxy %j', (written, trustProxy) => {
    const options = plainToInstance(ServerOptions, { trustProxy: written }, { exposeDefaultValues: true });

    expect([options.trustProxy, problemsOf({ trustProxy: written })]).toEqual([trustProxy, []]);
  });

  it.each([
    ['false', false],
    [false, false],
    ['true', true],
    [true, true],
    ['10.0.0.1', ['10.0.0.1']],
  ])('reads proxyProtocol %j beside a list in trustProxy', (written, proxyProtocol) => {
    const plain = { trustProxy: ['10.0.0.0/8'], proxyProtocol: written };
    const options = plainToInstance(ServerOptions, plain, { exposeDefaultValues: true });

    expect([options.proxyProtocol, problemsOf(plain)]).toEqual([proxyProtocol, []]);
  });

  it('takes a certificate with its key, and an authority beside them', () => {
    expect(problemsOf({ tls: { certFile: '/a.crt', keyFile: '/a.key', clientCaFile: '/ca.crt' } })).toEqual([]);
  });
});
