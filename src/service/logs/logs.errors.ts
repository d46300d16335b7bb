import { RookeryError, Status } from 'rookery/core';

/** An upload brought more entries than `logs.maxEntriesPerUpload`; none is stored. Split it. */
export class LogUploadTooLargeError extends RookeryError {
  static override readonly reason = 'LOG_UPLOAD_TOO_LARGE';
  static override readonly status = Status.ResourceExhausted;
  static override readonly httpStatus = 413;

  constructor(readonly limit: number) {
    super(`more than ${limit} entries in one upload`, { metadata: { limit: String(limit) } });
  }
}
