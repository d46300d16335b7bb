import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiResponse, type ApiResponseOptions } from '@nestjs/swagger';

type Headers = NonNullable<ApiResponseOptions['headers']>;

const text = { type: 'string' } as const;

const state: Headers = {
  etag: { description: 'Names this state of the file; strong.', schema: text },
  'last-modified': { description: 'When the file was last changed, to the second.', schema: text },
  'accept-ranges': { description: '`bytes`: parts of the file can be asked for.', schema: text },
  'cache-control': { description: '`no-cache`: what is kept is to be checked before use.', schema: text },
};

const whole: Headers = {
  ...state,
  'content-disposition': { description: 'That it is to be saved, and by which name.', schema: text },
};

// The media type goes by the extension of the file's name.
const content = { '*/*': { schema: { type: 'string', format: 'binary' } } };

const optionalHeader = (name: string, description: string): MethodDecorator =>
  ApiHeader({ name, description, required: false, schema: text });

/** Tells the API description what `answerFor` heeds and gives: neither shows in the types of the handler. */
export function DescribeFileRead(): MethodDecorator {
  return applyDecorators(
    optionalHeader('Range', 'The part to send, such as `bytes=0-1023`; of several ranges, none counts.'),
    optionalHeader('If-Range', 'An entity tag or a date: `Range` counts only while the file is in that state.'),
    optionalHeader('If-None-Match', 'Entity tags of states the caller has; 304 when the file is in one of them.'),
    optionalHeader('If-Modified-Since', 'A date; 304 when the file is no newer. Not heeded beside `If-None-Match`.'),
    ApiOkResponse({ description: 'The whole file.', headers: whole, content }),
    ApiResponse({
      status: 206,
      description: 'The part that `Range` asks for.',
      headers: {
        ...whole,
        'content-range': { description: 'Which part it is, such as `bytes 0-1023/4096`.', schema: text },
      },
      content,
    }),
    ApiResponse({ status: 304, description: 'The caller has the present state.', headers: state }),
    ApiResponse({
      status: 416,
      description: 'The range is behind the end of the file.',
      headers: { 'content-range': { description: 'The size of the file, such as `bytes */4096`.', schema: text } },
    }),
  );
}
