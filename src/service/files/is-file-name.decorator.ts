import { ValidateBy } from 'class-validator';
import { isFileName } from './file-name.js';

/** Checks for the name of a file in a folder: 1 to 255 bytes, not hidden, no path. */
export function IsFileName(): PropertyDecorator {
  return ValidateBy({
    name: 'isFileName',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && isFileName(value),
      defaultMessage: (argument) => `${argument?.property ?? 'value'} must be a file name without a path`,
    },
  });
}
