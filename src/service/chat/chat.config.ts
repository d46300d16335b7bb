import { IsInt, Min } from 'class-validator';
import { ConfigPrefix } from 'rookery/core';

/** The section `chat`; a change takes effect with the next member. */
@ConfigPrefix('chat')
export class ChatConfig {
  /** Events that wait for a member who reads slowly; then the oldest are left out. */
  @IsInt()
  @Min(1)
  readonly queueSize: number = 256;

  /** Most members of all rooms together, in this process. */
  @IsInt()
  @Min(1)
  readonly maxMembers: number = 10_000;

  /** Most members of one room. */
  @IsInt()
  @Min(1)
  readonly maxMembersPerRoom: number = 1000;

  /** When the process drains: how long nothing may happen to a member before its call is ended, in ms. */
  @IsInt()
  @Min(0)
  readonly drainQuietMs: number = 300;

  /** When the process drains: after how long all calls are ended, in ms. */
  @IsInt()
  @Min(0)
  readonly drainLimitMs: number = 5000;
}
