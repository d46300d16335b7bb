import { fieldsOf, type Http2Fields, Http2HeaderError } from '../../http2/index.js';
import { prefixBytes } from '../frame.js';

/** The flag of the frame that holds trailers and no message. */
const trailersFlag = 0x80;

// A line break would be one field more.
const unsafe = /[\r\n\0]/;

/**
 * The last frame of an answer: its trailers in the form of an HTTP/1.1 header block.
 *
 * @throws Http2HeaderError a value that no header line can carry
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
 */
export function trailerFrame(trailers: Http2Fields): Buffer {
  let text = '';
  for (const { name, value } of fieldsOf(trailers)) {
    if (unsafe.test(name) || unsafe.test(value))
      throw new Http2HeaderError(`trailer ${JSON.stringify(name)}: has a character that a header line cannot carry`);
    text += `${name}: ${value}\r\n`;
  }
  const frame = Buffer.allocUnsafe(prefixBytes + text.length);
  frame[0] = trailersFlag;
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, prefixBytes, 'latin1');
  return frame;
}
