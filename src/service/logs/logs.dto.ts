import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import type { InputOf } from 'rookery/grpc';
import type { ListEntriesRequestSchema, LogEntrySchema } from '../../gen/log/service/v1/log_pb.js';
import { logLevels } from './log-entry.js';

// PostgreSQL stores no NUL, and a half of a surrogate pair is no character.
const storable = /^[^\0\p{Cs}]*$/u;
const storableMessage = '$property must not contain NUL or half characters';

// What google.protobuf.Timestamp can say: the years 1 to 9999.
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;

/** A point in time. */
export class TimestampInput {
  @ValidateBy({
    name: 'isTimestamp',
    validator: {
      validate: (value: unknown) => typeof value === 'bigint' && value >= firstSecond && value <= lastSecond,
      defaultMessage: () => 'seconds must lie in the years 1 to 9999',
    },
  })
  readonly seconds!: bigint;

  @IsInt()
  @Min(0)
  @Max(999_999_999)
  readonly nanos!: number;
}

/** One line of somebody's log. */
export class LogEntryInput implements InputOf<typeof LogEntrySchema> {
  @Length(1, 100)
  @Matches(storable, { message: storableMessage })
  readonly source!: string;

  @IsIn(logLevels)
  readonly level!: string;

  @Length(1, 4096)
  @Matches(storable, { message: storableMessage })
  readonly message!: string;

  /** The time of arrival when absent. */
  @IsOptional()
  @ValidateNested()
  @Type(() => TimestampInput)
  readonly time?: TimestampInput | undefined;
}

/** Which page of the entries, and of which source. */
export class ListEntriesInput implements InputOf<typeof ListEntriesRequestSchema> {
  /** 0 asks for 20. */
  @IsInt()
  @Min(0)
  readonly pageSize!: number;

  @IsString()
  readonly pageToken!: string;

  /** Empty for all. */
  @MaxLength(100)
  @Matches(storable, { message: storableMessage })
  readonly source!: string;
}
