import { readRange } from './byte-range.js';
import { attachmentNamed } from './content-disposition.js';
import { FileRangeNotSatisfiableError } from './files.errors.js';
import { type ConditionHeaders, isNotModified, isRangeWelcome } from './http-conditions.js';
import { mediaTypeOf } from './media-type.js';
import type { StoredFile } from './stored-file.js';

/** The request headers that decide what is sent of a file. */
export interface FileRequestHeaders extends ConditionHeaders {
  readonly range?: string | undefined;
}

/** How a file is answered: the bytes from `start` up to `end`. */
export interface FileAnswer {
  readonly status: 200 | 206 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly start: number;
  readonly end: number;
}

/**
 * Decides how to answer `GET` of a file.
 *
 * @throws FileRangeNotSatisfiableError
 */
export function answerFor(file: StoredFile, request: FileRequestHeaders): FileAnswer {
  const { size, etag, modifiedMs } = file;
  const headers = {
    etag,
    'last-modified': new Date(modifiedMs).toUTCString(),
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
  };
  if (isNotModified(request, file)) return { status: 304, headers, start: 0, end: 0 };
  const range = isRangeWelcome(request, file) ? readRange(request.range, size) : undefined;
  if (range === 'unsatisfiable') throw new FileRangeNotSatisfiableError(size);
  const { start, end } = range ?? { start: 0, end: size };
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      ...(range !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
      'content-type': mediaTypeOf(file.name),
      'content-disposition': attachmentNamed(file.name),
      'content-length': String(end - start),
    },
    start,
    end,
  };
}
