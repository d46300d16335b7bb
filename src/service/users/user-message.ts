import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { UserSchema } from '../../gen/user/service/v1/user_pb.js';
import type { StoredUser } from './user.js';

/** A user as callers see it. */
export type UserMessage = MessageInitShape<typeof UserSchema>;

/** Turns a stored user into the message. */
export function userMessageOf({ id, displayName, email, role, age, createdAtMs }: StoredUser): UserMessage {
  return { id, displayName, email, role, age, createdAt: timestampFromMs(createdAtMs) };
}
