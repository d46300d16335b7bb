import { describe, expect, it } from 'vitest';
import { answerFor } from './file-answer.js';
import { StoredFile } from './stored-file.js';

const state = { size: 1000, modifiedNs: 1_769_846_400_750_000_000n, inode: 7n };
const file = new StoredFile('data.bin', state, undefined as never);

describe('answerFor', () => {
  it('sends the whole, with what a caller needs to come back', () => {
    expect(answerFor(file, {})).toEqual({
      status: 200,
      start: 0,
      end: 1000,
      headers: {
        etag: file.etag,
        'last-modified': 'Sat, 31 Jan 2026 08:00:00 GMT',
        'accept-ranges': 'bytes',
        'cache-control': 'no-cache',
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename="data.bin"; filename*=UTF-8''data.bin`,
        'content-length': '1000',
      },
    });
  });

  it('sends a part', () => {
    const answer = answerFor(file, { range: 'bytes=10-19', 'if-range': file.etag });

    expect(answer).toMatchObject({
      status: 206,
      start: 10,
      end: 20,
      headers: { 'content-range': 'bytes 10-19/1000', 'content-length': '10' },
    });
  });

  it('sends the whole when the part belongs to another state of the file', () => {
    expect(answerFor(file, { range: 'bytes=10-19', 'if-range': '"old"' })).toMatchObject({ status: 200, end: 1000 });
  });

  it('sends nothing to who has it already, whatever part is asked for', () => {
    const answer = answerFor(file, { range: 'bytes=5000-', 'if-none-match': file.etag });

    expect(answer).toMatchObject({ status: 304, start: 0, end: 0 });
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  it('says how long the file is to who asks for what lies behind', () => {
    expect(() => answerFor(file, { range: 'bytes=1000-' })).toThrow(
      expect.objectContaining({
        reason: 'FILE_RANGE_NOT_SATISFIABLE',
        httpStatus: 416,
        httpHeaders: { 'content-range': 'bytes */1000' },
      }),
    );
  });

  it('names other bytes by another tag', () => {
    const tags = [state, { ...state, size: 1001 }, { ...state, modifiedNs: 1n }, { ...state, inode: 8n }].map(
      (each) => new StoredFile('data.bin', each, undefined as never).etag,
    );

    expect(new Set(tags).size).toBe(4);
  });
});
