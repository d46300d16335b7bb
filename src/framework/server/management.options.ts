import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min } from 'class-validator';
import { ConfigPrefix, NeedsRestart } from '../core/index.js';

/**
 * A second port for operators, without tokens: health, metrics, API description, gRPC health and reflection. All of these
 * but the probes then leave the main port. The section `management` of the configuration.
 */
@ConfigPrefix('management')
export class ManagementOptions {
  /** Port to listen on; 0 takes a free one. Not set: there is no management port. */
  @NeedsRestart()
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly port?: number;

  /** Address to listen on. Any other than loopback opens the port to callers without a token; the start warns of it. */
  @NeedsRestart()
  @IsString()
  @IsNotEmpty()
  readonly host: string = '127.0.0.1';

  /** Connections open at a time; one more is closed as it comes. */
  @NeedsRestart()
  @IsInt()
  @Min(1)
  @Max(10_000)
  readonly maxConnections: number = 100;
}
