import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import {
  ArrayUnique,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { ConfigPrefix, NeedsRestart, Secret } from '../core/index.js';

// A list may stand as one text in files too, as it does in the environment.
function AsList(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== '')
      : value,
  );
}

/** TLS to the servers, for gRPC, HTTP and the login. */
export class NacosTlsOptions {
  /** Whether the servers are reached by TLS. */
  @IsBoolean()
  readonly enabled: boolean = false;

  /** Path of the authorities that the servers' certificates come from, PEM; the usual ones without. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly caFile?: string;

  /** Path of the certificate that this client shows, PEM; needs `keyFile`. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly certFile?: string;

  /** Path of the private key that belongs to it, PEM. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly keyFile?: string;

  /** The name that the servers' certificates are for, where it is not the address. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly serverName?: string;
}

/** The last good content on disk, which serves a start while no server can be reached. */
export class NacosSnapshotOptions {
  /** Whether it is kept. */
  @IsBoolean()
  readonly enabled: boolean = true;

  /** Folder of the file; made where it is missing. Nothing is written outside of it. */
  @IsString()
  @IsNotEmpty()
  readonly directory: string = '.data/config';
}

/** How soon a start does without the servers, where it has a snapshot or they are not required. */
export class NacosFallBackOptions {
  /** How long it waits for one of them to take a connection, in ms. */
  @IsInt()
  @Min(10)
  @Max(60_000)
  readonly connectTimeoutMs: number = 100;

  /** How long it waits for all data ids, in ms. */
  @IsInt()
  @Min(100)
  @Max(60_000)
  readonly answerTimeoutMs: number = 2000;
}

/**
 * A Nacos cluster as configuration centre; the section `nacos` of the configuration, on when `address` is set. It is read
 * from files, environment and command line, before Nacos is asked: data ids may not have it.
 */
@ConfigPrefix('nacos')
export class NacosConfigOptions {
  /** The servers, `host:port` with the HTTP port (8848 where none is said); without any, the files are the centre. */
  @AsList()
  @ArrayUnique()
  @IsString({ each: true })
  @NeedsRestart()
  readonly address: readonly string[] = [];

  /** Id of the namespace; empty is the public one. */
  @Matches(/^[\w.:-]{0,128}$/, { message: '$property must be letters, digits and _ . : -, 128 characters at most' })
  @NeedsRestart()
  readonly namespace: string = '';

  /** Group of the data ids that name none. */
  @Matches(/^[\w.:-]{1,128}$/, { message: '$property must be letters, digits and _ . : -, 1 to 128 characters' })
  @NeedsRestart()
  readonly group: string = 'DEFAULT_GROUP';

  /**
   * What is read, later wins: `<data id>` or `<group>/<data id>`, with `#yaml`, `#json` or `#properties` behind it where
   * neither Nacos nor the extension tells the format. Without any, those that are called as the files are:
   * `application.yaml` and `application-<env>.yaml`.
   */
  @AsList()
  @ArrayUnique()
  @Matches(/^(?:[\w.:-]{1,128}\/)?[\w.:-]{1,256}(?:#(?:yaml|json|properties))?$/, {
    each: true,
    message:
      'each value in $property must be <data id> or <group>/<data id>, with #yaml, #json or #properties if need be',
  })
  @NeedsRestart()
  readonly dataIds: readonly string[] = [];

  /** Who to log in as; needs `password`. Without both, no login. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  readonly username?: string;

  /** The user's password. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @Secret()
  @NeedsRestart()
  readonly password?: string;

  /**
   * Whether a start fails that finds neither Nacos nor a snapshot. If not, it begins with files and environment, says so, and
   * takes over what Nacos has when it can be reached.
   */
  @IsBoolean()
  @NeedsRestart()
  readonly required: boolean = true;

  /** How it is talked to: `grpc` (2.0 and later, HTTP port + 1000), or `http` (1.x and 2.x, with the package `nacos`). */
  @IsIn(['grpc', 'http'])
  @NeedsRestart()
  readonly transport: 'grpc' | 'http' = 'grpc';

  /** Where the servers take gRPC; the HTTP port + 1000 without. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(65_535)
  @NeedsRestart()
  readonly grpcPort?: number;

  /** Path of the HTTP interface of the servers. */
  @Matches(/^(?:\/[\w.~-]+)*\/?$/, { message: '$property must be a path such as /nacos' })
  @NeedsRestart()
  readonly contextPath: string = '/nacos';

  /** Certificates. */
  @ValidateNested()
  @Type(() => NacosTlsOptions)
  @NeedsRestart()
  readonly tls: NacosTlsOptions = new NacosTlsOptions();

  /** The file to begin with while Nacos is down. */
  @ValidateNested()
  @Type(() => NacosSnapshotOptions)
  @NeedsRestart()
  readonly snapshot: NacosSnapshotOptions = new NacosSnapshotOptions();

  /** Time limits of a start that has something else to begin with. */
  @ValidateNested()
  @Type(() => NacosFallBackOptions)
  @NeedsRestart()
  readonly fallBack: NacosFallBackOptions = new NacosFallBackOptions();

  /** How long a start that needs Nacos waits for the data ids, in ms. */
  @IsInt()
  @Min(100)
  @Max(600_000)
  @NeedsRestart()
  readonly startTimeoutMs: number = 5000;

  /** Limit of a request while the process runs, in ms. */
  @IsInt()
  @Min(100)
  @Max(600_000)
  @NeedsRestart()
  readonly requestTimeoutMs: number = 3000;
}
