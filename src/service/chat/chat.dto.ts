import { Matches, MaxLength } from 'class-validator';
import type { InputOf } from 'rookery/grpc';
import type { JoinRequestSchema } from '../../gen/chat/service/v1/chat_pb.js';

/** What a member sends. */
export class JoinInput implements InputOf<typeof JoinRequestSchema> {
  /** In the first message 1 to 100 characters; later the same, or empty. */
  @MaxLength(100)
  @Matches(/^\P{Cc}*$/u, { message: '$property must not contain control characters' })
  readonly room!: string;

  /** Up to 4096 characters; may be empty in the first message only. */
  @MaxLength(4096)
  readonly text!: string;
}
