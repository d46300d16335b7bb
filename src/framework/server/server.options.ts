import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsDefined,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Max,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { ConfigPrefix, KeptOnRollback, LocalDefault, NeedsRestart } from '../core/index.js';
import { Http2Options } from './http2.options.js';
import { IsProxySenders, IsProxyTrust, OfText } from './proxy-rules.js';

function HasCertificateWithKey(): PropertyDecorator {
  return ValidateBy({
    name: 'hasCertificateWithKey',
    validator: {
      validate: (value) => {
        const { certFile, keyFile, clientCaFile } = (value ?? {}) as Partial<TlsOptions>;
        return (
          (certFile === undefined) === (keyFile === undefined) && (clientCaFile === undefined || certFile !== undefined)
        );
      },
      defaultMessage: () => '$property must have certFile and keyFile together; clientCaFile needs both',
    },
  });
}

/** TLS on the one port; the section `server.tls` of the configuration. On when the two files are named. */
export class TlsOptions {
  /** Path of the certificate chain, PEM, leaf first. A changed file is taken over while running. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  @KeptOnRollback()
  readonly certFile?: string;

  /** Path of the private key that belongs to it, PEM. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  @KeptOnRollback()
  readonly keyFile?: string;

  /** Path of the authorities that client certificates must come from, PEM. Named: a client without one is refused. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  @KeptOnRollback()
  readonly clientCaFile?: string;

  /** Serve cleartext on the same port next to TLS. */
  @IsBoolean()
  readonly allowCleartext: boolean = false;

  /** Time for the TLS handshake, in ms. */
  @IsInt()
  @Min(100)
  @Max(120_000)
  @NeedsRestart()
  readonly handshakeTimeoutMs: number = 10_000;
}

/** The one port; the section `server` of the configuration. Its limits on requests are `server.limits`. */
@ConfigPrefix('server')
export class ServerOptions {
  /**
   * Address to listen on: `127.0.0.1` is this machine only, `0.0.0.0` every IPv4 address of the machine, `::` every address.
   * A name is looked up, IPv4 first.
   */
  @LocalDefault('127.0.0.1')
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  readonly host: string = '0.0.0.0';

  /** Port to listen on; 0 takes a free one. */
  @IsInt()
  @Min(0)
  @Max(65_535)
  @NeedsRestart()
  readonly port: number = 8080;

  /** Certificates. */
  @IsDefined()
  @ValidateNested()
  @Type(() => TlsOptions)
  @HasCertificateWithKey()
  readonly tls: TlsOptions = new TlsOptions();

  /**
   * Proxies whose `Forwarded` and `x-forwarded-for` are believed: how many there are between client and service, or their
   * addresses in CIDR notation. The peer of a request is the nearest address that is not trusted. A number trusts whatever
   * connects: for ports that only the proxies reach. A list is safe without that. Empty or 0: no proxy is trusted.
   */
  @IsProxyTrust()
  @OfText()
  readonly trustProxy: number | readonly string[] = [];

  /**
   * Senders of the PROXY protocol, version 1 or 2: addresses in CIDR notation, or `true` for the list of `server.trustProxy`.
   * Every connection from one of them has to begin with its header; from others none is accepted. Holds for new connections.
   */
  @IsProxySenders()
  @OfText()
  readonly proxyProtocol: boolean | readonly string[] = [];

  /** HTTP/2 connections. */
  @IsDefined()
  @ValidateNested()
  @Type(() => Http2Options)
  readonly http2: Http2Options = new Http2Options();

  /**
   * Connections open at a time; one more is closed as it comes. One peer may have `server.limits.peerShare` of them, and
   * half of them at most may not have spoken a protocol yet.
   */
  @IsInt()
  @Min(1)
  readonly maxConnections: number = 10_000;

  // Above the 60 s after which common load balancers close: whoever closes first must not be us.
  /** Time an HTTP/1.1 connection is kept for the next request, in ms. A change holds for connections that come from then on. */
  @IsInt()
  @Min(100)
  readonly keepAliveTimeoutMs: number = 75_000;

  /** Time between readiness going red and the first refused connection, in ms. Not set: 5000 in Kubernetes, else 0. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(600_000)
  readonly drainDelayMs?: number;

  /**
   * Time that running requests have to finish when the process stops, in ms. Streams that are open then end with
   * UNAVAILABLE, other requests with 503, within a second more.
   */
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  readonly graceMs: number = 20_000;

  /**
   * Time that running requests have to finish after an uncaught exception or an unhandled rejection, in ms; 0 cuts them
   * off. The process ends with 1 after that.
   */
  @IsInt()
  @Min(0)
  @Max(600_000)
  readonly crashGraceMs: number = 5000;

  /**
   * While stopping, an HTTP/1.1 connection is closed when it was idle for this long, in ms; a request that comes before
   * is still answered. A busy client has its next request on the way most of the time, so 0 loses requests.
   */
  @IsInt()
  @Min(0)
  @Max(60_000)
  readonly idleLingerMs: number = 1000;

  /**
   * After a time of load, when the event loop has been idle for 20 s, memory that V8 keeps goes back to the operating system. The
   * process stands still for that, once, for some 100 to 300 ms; with more than 256 MiB in use it is left out.
   */
  @IsBoolean()
  @NeedsRestart()
  readonly returnIdleMemory: boolean = true;
}

/** Token of the present `ServerOptions`, as `Live<ServerOptions>`. */
export const SERVER_OPTIONS: unique symbol = Symbol('SERVER_OPTIONS');
