import { RookeryError, Status } from 'rookery/core';

/** There is no file of that name. */
export class FileNotFoundError extends RookeryError {
  static override readonly reason = 'FILE_NOT_FOUND';
  static override readonly status = Status.NotFound;

  constructor(
    readonly fileName: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(`file ${fileName} not found`, { ...options, metadata: { name: fileName } });
  }
}

/** A download is to start behind the end of the file. */
export class FileOffsetOutOfRangeError extends RookeryError {
  static override readonly reason = 'FILE_OFFSET_OUT_OF_RANGE';
  static override readonly status = Status.OutOfRange;

  constructor(
    readonly offset: bigint,
    readonly size: number,
  ) {
    super(`offset ${offset} is behind the end of the file, which has ${size} bytes`, {
      metadata: { size: String(size) },
    });
  }
}

/** The file was changed while it was being sent; what has arrived is of no use. Download it again. */
export class FileChangedError extends RookeryError {
  static override readonly reason = 'FILE_CHANGED';
  static override readonly status = Status.Aborted;

  constructor(readonly fileName: string) {
    super(`file ${fileName} changed during the download`, { metadata: { name: fileName } });
  }
}

/** The `Range` header names bytes that the file does not have. */
export class FileRangeNotSatisfiableError extends RookeryError {
  static override readonly reason = 'FILE_RANGE_NOT_SATISFIABLE';
  static override readonly status = Status.OutOfRange;
  static override readonly httpStatus = 416;

  constructor(readonly size: number) {
    super(`the range is behind the end of the file, which has ${size} bytes`, {
      metadata: { size: String(size) },
      // RFC 9110 section 15.5.17: so that the caller learns what there is.
      httpHeaders: { 'content-range': `bytes */${size}` },
    });
  }
}
