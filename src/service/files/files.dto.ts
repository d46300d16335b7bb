import { ValidateBy } from 'class-validator';
import type { InputOf } from 'rookery/grpc';
import type { DownloadRequestSchema, ListFilesRequestSchema } from '../../gen/file/service/v1/file_pb.js';
import { IsFileName } from './is-file-name.decorator.js';

/** Nothing: all files are listed. */
export class ListFilesInput implements InputOf<typeof ListFilesRequestSchema> {}

/** Which file. */
export class FileNameInput {
  @IsFileName()
  readonly name!: string;
}

/** Which file, and from where on. */
export class DownloadInput implements InputOf<typeof DownloadRequestSchema> {
  @IsFileName()
  readonly name!: string;

  /** In bytes. */
  @ValidateBy({
    name: 'min',
    validator: {
      validate: (value: unknown) => typeof value === 'bigint' && value >= 0n,
      defaultMessage: () => 'offset must not be less than 0',
    },
  })
  readonly offset!: bigint;
}
