import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { CreateUserInput, GetUserInput, UpdateUserInput } from './users.dto.js';

function wrongFields(dto: new () => object, plain: object): string[] {
  const errors = validateSync(plainToInstance(dto, plain), {
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
  });
  return errors.map(({ property }) => property).toSorted();
}

const valid = { displayName: 'Zoë 😀', email: 'zoe@example.com', role: 'viewer' };

describe('CreateUserInput', () => {
  it('takes a user with and without age', () => {
    expect(wrongFields(CreateUserInput, valid)).toEqual([]);
    expect(wrongFields(CreateUserInput, { ...valid, age: 0 })).toEqual([]);
    expect(wrongFields(CreateUserInput, { ...valid, age: 150, displayName: 'x'.repeat(100) })).toEqual([]);
  });

  it('names every wrong field of an empty message', () => {
    expect(wrongFields(CreateUserInput, { displayName: '', email: '', role: '' })).toEqual([
      'displayName',
      'email',
      'role',
    ]);
  });

  it.each([
    ['displayName', '   '],
    ['displayName', 'x'.repeat(101)],
    ['displayName', 'two\nlines'],
    ['displayName', 'nul\0'],
    ['email', 'nobody'],
    ['email', 'a@b@example.com'],
    ['role', 'Developer'],
    ['age', -1],
    ['age', 151],
    ['age', 1.5],
  ])('refuses %s %j', (field, value) => {
    expect(wrongFields(CreateUserInput, { ...valid, [field]: value })).toEqual([field]);
  });
});

describe('GetUserInput', () => {
  it.each(['1', '9223372036854775807'])('takes the id %s', (id) => {
    expect(wrongFields(GetUserInput, { id })).toEqual([]);
  });

  it.each(['0', '-1', '01', '1.0', 'abc', '', '9223372036854775808', ' 1'])('refuses the id %j', (id) => {
    expect(wrongFields(GetUserInput, { id })).toEqual(['id']);
  });
});

describe('UpdateUserInput', () => {
  it('takes an id alone, and a mask', () => {
    expect(wrongFields(UpdateUserInput, { id: '1' })).toEqual([]);
    expect(wrongFields(UpdateUserInput, { id: '1', updateMask: { paths: ['age'] } })).toEqual([]);
  });

  it('refuses present fields that are wrong', () => {
    expect(wrongFields(UpdateUserInput, { id: '1', displayName: '', role: '' })).toEqual(['displayName', 'role']);
  });
});
