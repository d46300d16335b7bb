import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsDefined,
  IsEmail,
  IsIn,
  IsInstance,
  IsInt,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';

// One set of classes for Rookery and for the Nest peers: both sides check the same.

/** Which user. */
export class GetUserInput {
  @Matches(/^[1-9]\d{0,18}$/)
  readonly id!: string;
}

/** Where a person lives. */
export class AddressInput {
  @IsString()
  @Length(1, 100)
  readonly street!: string;

  @IsString()
  @Length(1, 100)
  readonly city!: string;

  @IsString()
  @Length(3, 10)
  readonly postalCode!: string;
}

/** A user to make: six fields, one of them an object. */
export class CreateUserInput {
  @IsString()
  @Length(1, 100)
  readonly displayName!: string;

  @IsEmail()
  readonly email!: string;

  @IsIn(['developer', 'operator', 'viewer'])
  readonly role!: string;

  @IsInt()
  @Min(0)
  @Max(150)
  readonly age!: number;

  @IsBoolean()
  readonly newsletter!: boolean;

  @IsDefined()
  @ValidateNested()
  @Type(() => AddressInput)
  readonly address!: AddressInput;
}

/** How many messages. */
export class StreamInput {
  @IsInt()
  @Min(1)
  @Max(100_000)
  readonly count!: number;
}

/** Bytes. */
export class ChunkInput {
  @IsInstance(Uint8Array)
  readonly payload!: Uint8Array;
}
