// CPU time of validating a six-field DTO with a nested object: class-transformer and class-validator against what
// `@Input()` does, in turn, in one run: only the ratio counts. Needs a build (`npm run build`).
// Usage: node bench/validation.mjs [rounds]
import 'reflect-metadata';
import { plainToInstance, Type } from 'class-transformer';
import {
  IsArray,
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Max,
  Min,
  validate,
  ValidateNested,
} from 'class-validator';
import { InputReader } from 'rookery/pipeline';
import { median } from './cpu-time.mjs';

const rounds = Number(process.argv[2] ?? 9);
const timesEach = 20_000;

class Address {
  /** @type {unknown} */ city;
  /** @type {unknown} */ zip;
}
class Signup {
  /** @type {unknown} */ name;
  /** @type {unknown} */ email;
  /** @type {unknown} */ age;
  /** @type {unknown} */ role;
  /** @type {unknown} */ tags;
  /** @type {unknown} */ address;
}

/**
 * Decorators without a compiler for them.
 *
 * @param {new () => object} dto
 * @param {string} property
 * @param {...PropertyDecorator} decorators
 */
function rules(dto, property, ...decorators) {
  for (const decorate of decorators) decorate(dto.prototype, property);
}
rules(Address, 'city', Length(1, 50));
rules(Address, 'zip', IsString(), Length(5, 5));
rules(Signup, 'name', IsString(), Length(1, 100));
rules(Signup, 'email', IsEmail());
rules(Signup, 'age', IsOptional(), IsInt(), Min(0), Max(150));
rules(Signup, 'role', IsIn(['developer', 'operator', 'viewer']));
rules(Signup, 'tags', IsArray(), IsString({ each: true }));
rules(
  Signup,
  'address',
  ValidateNested(),
  Type(() => Address),
);

const valid = JSON.stringify({
  name: 'Ann Example',
  email: 'ann@example.com',
  age: 30,
  role: 'viewer',
  tags: ['a', 'b'],
  address: { city: 'Berlin', zip: '10115' },
});
const invalid = JSON.stringify({ ...JSON.parse(valid), email: 'x', address: { city: '', zip: 5 } });
const options = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  stopAtFirstError: true,
  validationError: { target: false, value: false },
};

/** @typedef {Record<string, unknown>} Plain */

const reader = new InputReader(Signup, undefined);
const byClassValidator = (/** @type {Plain} */ value) =>
  validate(plainToInstance(Signup, value, { exposeDefaultValues: true }), options);
// As a message comes in: without the merging of path, query and body.
const byRookery = (/** @type {Plain} */ value) => reader.fromMessage(value);

async function verify() {
  const accepted = await byRookery(JSON.parse(valid));
  const complaints = await byClassValidator(JSON.parse(valid));
  if (complaints.length > 0 || !(accepted instanceof Signup)) throw new Error('the valid input was refused');
  const errors = await byClassValidator(JSON.parse(invalid));
  const told = await violationsOf(JSON.parse(invalid));
  if (errors.length !== 2 || told !== 'email,address.city,address.zip') throw new Error(`wrong violations: ${told}`);
}

/** @param {Plain} value */
async function violationsOf(value) {
  try {
    await byRookery(value);
    return '';
  } catch (error) {
    const { violations } = /** @type {import('rookery').RookeryError} */ (error);
    return violations.map(({ field }) => field).join();
  }
}

/**
 * @param {(value: Plain) => unknown} subject
 * @param {string} text
 */
async function costUs(subject, text) {
  // Different objects, so that nothing is remembered of the value; parsed beforehand, so that JSON is not measured.
  /** @type {Plain[]} */
  const values = Array.from({ length: timesEach }, () => JSON.parse(text));
  const before = process.cpuUsage();
  for (const value of values) {
    try {
      const read = subject(value);
      if (read instanceof Promise) await read;
    } catch {
      // The invalid one.
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / timesEach;
}

/** @param {string} text */
async function compare(text) {
  const samples = [];
  for (let round = -2; round < rounds; round += 1) {
    const theirs = await costUs(byClassValidator, text);
    const ours = await costUs(byRookery, text);
    if (round >= 0) samples.push({ theirs, ours, ratio: ours / theirs });
  }
  return samples;
}

await verify();
/** @type {Record<string, number>} */
const ratios = {};
for (const [name, text] of Object.entries({ valid, invalid })) {
  const samples = await compare(text);
  const all = samples.map(({ ratio }) => ratio);
  const [ours, theirs] = [median(samples.map((one) => one.ours)), median(samples.map((one) => one.theirs))];
  ratios[name] = median(all);
  const range = `1/${(1 / Math.max(...all)).toFixed(1)} to 1/${(1 / Math.min(...all)).toFixed(1)}`;
  console.log(
    `${name}: class-validator ${theirs.toFixed(2)} µs, rookery ${ours.toFixed(2)} µs; 1/${(1 / median(all)).toFixed(1)} (${range})`,
  );
}
// For `npm run bench`.
console.log(JSON.stringify({ ratio: ratios['valid'], invalid: ratios['invalid'] }));
