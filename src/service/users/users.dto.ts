import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import type { InputOf } from 'rookery/grpc';
import type {
  CreateUserRequestSchema,
  DeleteUserRequestSchema,
  GetUserRequestSchema,
  ListUsersRequestSchema,
  UpdateUserRequestSchema,
  WatchUsersRequestSchema,
} from '../../gen/user/service/v1/user_pb.js';
import { IsId } from './is-id.decorator.js';
import { userRoles } from './user.js';

// Something to see, and no control characters: they forge lines, and PostgreSQL stores no NUL.
const visibleText = /^(?=.*[^\s\p{C}])\P{Cc}*$/u;
const visibleTextMessage = '$property must have a visible character and no control characters';

/** Which user. */
export class GetUserInput implements InputOf<typeof GetUserRequestSchema> {
  @IsId()
  readonly id!: string;
}

/** Which page of the users. */
export class ListUsersInput implements InputOf<typeof ListUsersRequestSchema> {
  /** 0 asks for 20. */
  @IsInt()
  @Min(0)
  readonly pageSize!: number;

  @IsString()
  readonly pageToken!: string;
}

/** A user to make. */
export class CreateUserInput implements InputOf<typeof CreateUserRequestSchema> {
  @Length(1, 100)
  @Matches(visibleText, { message: visibleTextMessage })
  readonly displayName!: string;

  @IsEmail()
  readonly email!: string;

  @IsIn(userRoles)
  readonly role!: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(150)
  readonly age?: number | undefined;
}

/** Names of protobuf fields. */
export class FieldMaskInput {
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  readonly paths!: string[];
}

/** What to change of a user. */
export class UpdateUserInput implements InputOf<typeof UpdateUserRequestSchema> {
  @IsId()
  readonly id!: string;

  @IsOptional()
  @Length(1, 100)
  @Matches(visibleText, { message: visibleTextMessage })
  readonly displayName?: string | undefined;

  @IsOptional()
  @IsEmail()
  readonly email?: string | undefined;

  @IsOptional()
  @IsIn(userRoles)
  readonly role?: string | undefined;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(150)
  readonly age?: number | undefined;

  /** Which of the fields above change; without it those that are present. */
  @IsOptional()
  @ValidateNested()
  @Type(() => FieldMaskInput)
  readonly updateMask?: FieldMaskInput | undefined;
}

/** Which user to remove. */
export class DeleteUserInput implements InputOf<typeof DeleteUserRequestSchema> {
  @IsId()
  readonly id!: string;
}

/** What to tell a watcher. */
export class WatchUsersInput implements InputOf<typeof WatchUsersRequestSchema> {
  /** Also the users there are already, first. */
  @IsBoolean()
  readonly includeExisting!: boolean;
}
