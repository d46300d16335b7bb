import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsInt, IsOptional, IsString, Length, Max, Min, ValidateNested } from 'class-validator';

/** A part of an order. */
export class ItemInput {
  @Length(1, 20)
  readonly name!: string;

  @IsInt()
  @Min(1)
  @Max(99)
  readonly quantity!: number;
}

/** Nested objects, one and many. */
export class OrderInput {
  @Length(1, 50)
  readonly title!: string;

  @IsArray()
  @ArrayMaxSize(5)
  @ValidateNested({ each: true })
  @Type(() => ItemInput)
  readonly items!: ItemInput[];

  @IsOptional()
  @ValidateNested()
  @Type(() => ItemInput)
  readonly gift?: ItemInput | undefined;

  @IsArray()
  @IsString({ each: true })
  @Length(2, 10, { each: true })
  readonly tags!: string[];
}

/** What a handler is to do. */
export class TrialInput {
  @IsString()
  readonly mode!: string;

  @IsInt()
  @Min(0)
  readonly count!: number;

  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly size!: number;
}

/** A message of a stream. */
export class ReplyInput {
  @IsString()
  readonly text!: string;

  @IsInt()
  @Min(0)
  readonly number!: number;

  @IsOptional()
  readonly data?: Uint8Array;
}
