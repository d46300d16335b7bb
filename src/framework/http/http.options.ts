import { Type } from 'class-transformer';
import { IsArray, IsBoolean, IsInt, IsString, Min, ValidateBy, ValidateNested } from 'class-validator';
import { ConfigPrefix } from '../core/index.js';

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

/** Which pages of other origins may call, by REST and by gRPC-Web. */
export class CorsOptions {
  /** Allowed origins such as `https://app.example.com`; `*` for all; empty switches CORS off. Live. */
  @IsArray()
  @IsString({ each: true })
  readonly origins: readonly string[] = [];

  /** Whether cookies and `authorization` of the browser may be sent. Not together with `*`. Needs a restart. */
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
export class HttpOptions {
  @ValidateNested()
  @Type(() => CorsOptions)
  readonly cors: CorsOptions = new CorsOptions();

  /** Compress JSON and HTML answers when the caller accepts it (br, gzip, deflate). Needs a restart. */
  @IsBoolean()
  readonly compression: boolean = true;

  /** Answers smaller than this are not compressed, in bytes. Needs a restart. */
  @IsInt()
  @Min(0)
  readonly compressionMinBytes: number = 1024;

  /** Send the security headers of helmet (content security policy, HSTS, no sniffing …). Needs a restart. */
  @IsBoolean()
  readonly securityHeaders: boolean = true;

  /** Take the caller's address from `x-forwarded-for`: only behind a proxy that sets it. Needs a restart. */
  @IsBoolean()
  readonly trustProxy: boolean = false;

  /** Serve `/openapi.json` and the page `/docs`. Needs a restart and the package `@nestjs/swagger`. */
  @IsBoolean()
  readonly docs: boolean = true;
}

/** Token of the present `HttpOptions`, as `Live<HttpOptions>`. */
export const HTTP_OPTIONS: unique symbol = Symbol('HTTP_OPTIONS');
