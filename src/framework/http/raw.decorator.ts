import { SetMetadata } from '@nestjs/common';
import { metadataKeys } from '../core/index.js';

/** Sends what the handler returns as it is, without the envelope `{code, data, message}`. For a method or a class. */
export function Raw(): MethodDecorator & ClassDecorator {
  return SetMetadata(metadataKeys.raw, true);
}
