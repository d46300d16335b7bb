import 'reflect-metadata';
import { Min } from 'class-validator';
import { lastValueFrom, Observable, of, Subject, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ValidationError } from './pipeline.errors.js';
import { StrictValidationPipe } from './validation.pipe.js';

class Amount {
  @Min(1)
  number!: number;
}

/** What a handler reads of messages that come as an Observable, its parameter being declared as `metatype`. */
function read(messages: readonly unknown[], metatype: unknown): Promise<unknown[]> {
  const stream = new StrictValidationPipe().transform(of(...messages), {
    type: 'body',
    metatype: metatype as never,
    data: undefined,
  }) as unknown as Observable<unknown>;
  return lastValueFrom(stream.pipe(toArray()));
}

describe('StrictValidationPipe', () => {
  // What the compiler leaves of `messages: Observable<Amount>`: the class, wherever it is imported as a value.
  it.each([Observable, Subject, Object, undefined])('passes a stream on whose parameter says %s', async (metatype) => {
    const messages = [{ number: 0 }, { text: 'any' }];

    expect(await read(messages, metatype)).toEqual(messages);
  });

  it.each<[what: string, metatype: unknown, type: 'body' | 'param' | 'query', value: unknown, expected: unknown]>([
    ['no class', undefined, 'body', { any: 1 }, { any: 1 }],
    ['Object', Object, 'body', { any: 1 }, { any: 1 }],
    ['a text', String, 'param', 'x', 'x'],
    ['a number', Number, 'query', '7', 7],
    ['a truth value', Boolean, 'query', 'true', true],
  ])(
    'gives the value of a parameter of %s at once, and not a promise of it',
    (_what, metatype, type, value, expected) => {
      const metadata = { type, metatype: metatype as never, data: type === 'body' ? undefined : 'name' };

      expect(new StrictValidationPipe().transform(value, metadata)).toEqual(expected);
    },
  );

  it('refuses what is to be a number and is none', () => {
    const metadata = { type: 'query', metatype: Number, data: 'page' } as const;

    expect(() => new StrictValidationPipe().transform('x', metadata)).toThrow(ValidationError);
  });

  it('checks a stream whose parameter names the class of its messages', async () => {
    expect(await read([{ number: 1 }], Amount)).toEqual([Object.assign(new Amount(), { number: 1 })]);
    await expect(read([{ number: 0 }], Amount)).rejects.toThrow(ValidationError);
  });
});
