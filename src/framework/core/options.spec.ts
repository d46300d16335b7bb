import { describe, expect, it } from 'vitest';
import {
  ConfigPrefix,
  configPrefixes,
  configPrefixOf,
  isSecretOption,
  Moved,
  movedOption,
  NeedsRestart,
  needsRestart,
  Secret,
} from './options.js';

@ConfigPrefix('base.section')
@Moved('lock', 'other.lock')
class Base {
  @Secret()
  readonly key: string = '';

  readonly open: string = '';
}

@Moved('bolt', 'other.bolt')
class Derived extends Base {
  @Secret()
  @NeedsRestart()
  readonly pin: number = 0;
}

describe('marks on options', () => {
  it('tell the section of a class', () => {
    expect(configPrefixOf(Base)).toBe('base.section');
    expect(configPrefixOf(class Plain {})).toBeUndefined();
    expect(configPrefixes().has('base.section')).toBe(true);
  });

  it.each([[''], ['a.'], ['.a'], ['a..b'], ['a b'], ['__proto__']])('refuse the prefix %j', (prefix) => {
    expect(() => ConfigPrefix(prefix)).toThrow('expected: names joined by dots');
  });

  it('tell where an option has gone', () => {
    expect([movedOption(Base, 'lock'), movedOption(Derived, 'lock'), movedOption(Derived, 'bolt')]).toEqual([
      'other.lock',
      'other.lock',
      'other.bolt',
    ]);
    expect([movedOption(Base, 'bolt'), movedOption(Base, 'key'), movedOption(class Plain {}, 'lock')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('are inherited, and leave the base class alone', () => {
    expect([isSecretOption(Derived, 'key'), isSecretOption(Derived, 'pin'), isSecretOption(Derived, 'open')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([isSecretOption(Base, 'key'), isSecretOption(Base, 'pin')]).toEqual([true, false]);
    expect([needsRestart(Derived, 'pin'), needsRestart(Derived, 'key'), needsRestart(Base, 'key')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
