import { ValidateBy } from 'class-validator';

const maxInt64 = 2n ** 63n - 1n;

/** Checks for an id as the server assigns them: a positive int64 in decimal digits. */
export function IsId(): PropertyDecorator {
  return ValidateBy({
    name: 'isId',
    validator: {
      validate: (value: unknown) =>
        typeof value === 'string' && /^[1-9]\d{0,18}$/.test(value) && BigInt(value) <= maxInt64,
      defaultMessage: (argument) => `${argument?.property ?? 'value'} must be a positive integer of 64 bits`,
    },
  });
}
