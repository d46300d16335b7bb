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
import { InputReader } from '../dist/framework/pipeline/index.js';
import { median } from './cpu-time.mjs';

const rounds = Number(process.argv[2] ?? 9);
const timesEach = 20_000;

class Address {
  city;
  zip;
}
class Signup {
  name;
  email;
  age;
  role;
  tags;
  address;
}

/** Decorators without a compiler for them. */
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
rules(Signup, 'address', ValidateNested(), Type(() => Address));

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

const reader = new InputReader(Signup, undefined);
const subjects = {
  'class-validator': (value) => validate(plainToInstance(Signup, value, { exposeDefaultValues: true }), options),
  // As a message comes in: without the merging of path, query and body.
  rookery: (value) => reader.fromMessage(value),
};

async function verify() {
  const right = [await subjects['class-validator'](JSON.parse(valid)), subjects.rookery(JSON.parse(valid))];
  if (right[0].length !== 0 || !(right[1] instanceof Signup)) throw new Error('the valid input was refused');
  const errors = await subjects['class-validator'](JSON.parse(invalid));
  let refused;
  try {
    subjects.rookery(JSON.parse(invalid));
  } catch (error) {
    refused = error;
  }
  const told = refused?.violations.map(({ field }) => field).join();
  if (errors.length !== 2 || told !== 'email,address.city,address.zip') throw new Error(`wrong violations: ${told}`);
}

async function costNs(subject, text) {
  // Different objects, so that nothing is remembered of the value; parsed beforehand, so that JSON is not measured.
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
  return ((user + system) * 1000) / timesEach;
}

await verify();
for (const [name, text] of Object.entries({ valid, invalid })) {
  const ratios = [];
  const costs = Object.fromEntries(Object.keys(subjects).map((subject) => [subject, []]));
  for (let round = -2; round < rounds; round += 1) {
    const cost = {};
    for (const [subject, run] of Object.entries(subjects)) cost[subject] = await costNs(run, text);
    if (round < 0) continue;
    for (const [subject, one] of Object.entries(cost)) costs[subject].push(one);
    ratios.push(cost['class-validator'] / cost.rookery);
  }
  const all = Object.entries(costs).map(([subject, some]) => `${subject} ${(median(some) / 1000).toFixed(2)} µs`);
  console.log(
    `${name}: ${all.join(', ')}; 1/${median(ratios).toFixed(1)} (1/${Math.min(...ratios).toFixed(1)} to 1/${Math.max(...ratios).toFixed(1)})`,
  );
}
