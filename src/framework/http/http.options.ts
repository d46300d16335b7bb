import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  Matches,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { ConfigPrefix, type Exposure, ExposureOption, exposures, Moved, NeedsRestart } from '../core/index.js';

// A page of anybody's, sending the user's cookies: the one combination that must not be possible.
function NotWithAnyOrigin(): PropertyDecorator {
  return ValidateBy({
    name: 'notWithAnyOrigin',
    validator: {
      validate: (value, args) =>
        value !== true || (args?.object as CorsOptions | undefined)?.origins.includes('*') !== true,
      defaultMessage: () => '$property must be false while origins has *',
    },
  });
}

// `null` is what sandboxed pages and files send: to allow it is to allow anybody.
const originPattern = /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*A-Z]+)$/;
// A token of HTTP, but for the backtick, which no name has.
const tokenPattern = /^[\w!#$%&'*+.^|~-]+$/;
const originRule = '$property must be `*` or scheme://host[:port] in lower case, without a path';

/** Which pages of other origins may call, by REST and by gRPC-Web; the section `http.cors` of the configuration. */
export class CorsOptions {
  /** Allowed origins such as `https://app.example.com`; `*` for all; empty switches CORS off. */
  @IsArray()
  @ArrayMaxSize(1000)
  @Matches(originPattern, { each: true, message: originRule })
  readonly origins: readonly string[] = [];

  /** Methods that pages may use on REST; gRPC-Web is always POST. */
  @IsArray()
  @ArrayMaxSize(100)
  @Matches(tokenPattern, { each: true })
  readonly methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

  /** Request headers that pages may send, those of gRPC-Web included; empty allows whatever they ask for. */
  @IsArray()
  @ArrayMaxSize(100)
  @Matches(tokenPattern, { each: true })
  readonly headers: readonly string[] = [];

  /** Headers of REST answers that pages may read; on gRPC-Web it is all metadata. */
  @IsArray()
  @ArrayMaxSize(100)
  @Matches(tokenPattern, { each: true })
  readonly exposedHeaders: readonly string[] = ['x-request-id', 'retry-after'];

  /** Whether cookies and `authorization` of the browser may be sent. Not together with `*`. */
  @IsBoolean()
  @NotWithAnyOrigin()
  readonly credentials: boolean = false;

  /** How long a browser may keep the answer of a preflight, in seconds. */
  @IsInt()
  @Min(0)
  readonly maxAgeSeconds: number = 600;
}

/** The REST side; the section `http` of the configuration. */
@ConfigPrefix('http')
@Moved('trustProxy', 'server.trustProxy: a number of proxies, or a list of their addresses')
export class HttpOptions {
  @ValidateNested()
  @Type(() => CorsOptions)
  readonly cors: CorsOptions = new CorsOptions();

  /** Compress JSON and HTML answers when the caller accepts it (br, gzip, deflate). */
  @NeedsRestart()
  @IsBoolean()
  readonly compression: boolean = true;

  /** Answers smaller than this are not compressed, in bytes. */
  @NeedsRestart()
  @IsInt()
  @Min(0)
  readonly compressionMinBytes: number = 1024;

  /** Send the security headers of helmet (content security policy, HSTS, no sniffing …). */
  @NeedsRestart()
  @IsBoolean()
  readonly securityHeaders: boolean = true;

  /**
   * Access to `/openapi.json` and the page `/docs`: `open`, `token` (scope `docs:read` or `process:read`) or `off`. `true`
   * is the default of the environment, `false` is `off`. With `management.port` they are served there only. Needs the
   * package `@nestjs/swagger`.
   */
  @NeedsRestart()
  @ExposureOption()
  @IsIn(exposures)
  readonly docs: Exposure = 'token';
}

/** Token of the present `HttpOptions`, as `Live<HttpOptions>`. */
export const HTTP_OPTIONS: unique symbol = Symbol('HTTP_OPTIONS');
