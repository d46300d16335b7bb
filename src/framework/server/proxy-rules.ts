import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { AddressRanges } from '../core/index.js';
import { maxHops, type TrustProxy } from '../pipeline/index.js';

// As many as a fleet of load balancers has networks; each is compared with every connection.
const mostRanges = 1000;

/** What `server.proxyProtocol` may be. */
export type ProxySenders = boolean | readonly string[];

/** Whether any proxy is trusted. */
export function isTrusting(setting: TrustProxy): boolean {
  return typeof setting === 'number' ? setting > 0 : setting.length > 0;
}

/** Addresses that the PROXY protocol is accepted from; `undefined`: it is off. */
export function senderRanges(senders: ProxySenders, trustProxy: TrustProxy): AddressRanges | undefined {
  const ranges = senders === true && typeof trustProxy !== 'number' ? trustProxy : senders;
  return typeof ranges === 'boolean' || ranges.length === 0 ? undefined : new AddressRanges(ranges);
}

/** Reads a setting that is a list, a number or a truth value from one text, as environment and command line have it. */
export function OfText(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? readSetting(value) : value));
}

export function IsProxyTrust(): PropertyDecorator {
  return ValidateBy({
    name: 'isProxyTrust',
    validator: {
      validate: (value) =>
        isRangeList(value) || (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxHops),
      defaultMessage: () =>
        `$property must be a number of proxies from 0 to ${maxHops}, or a list of addresses such as 10.0.0.0/8 or ::1`,
    },
  });
}

export function IsProxySenders(): PropertyDecorator {
  return ValidateBy({
    name: 'isProxySenders',
    validator: {
      validate: (value, args) => {
        if (value !== true) return value === false || isRangeList(value);
        const { trustProxy } = (args?.object ?? {}) as { readonly trustProxy?: unknown };
        return isRangeList(trustProxy) && trustProxy.length > 0;
      },
      defaultMessage: () =>
        '$property must be a list of addresses such as 10.0.0.0/8 or ::1, or true where server.trustProxy is one',
    },
  });
}

function isRangeList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= mostRanges && value.every((item) => AddressRanges.isRange(item));
}

function readSetting(text: string): unknown {
  const plain = text.trim();
  if (/^\d+$/.test(plain)) return Number(plain);
  if (plain === 'true' || plain === 'false') return plain === 'true';
  const items = listOf(plain).map((item: unknown) => (typeof item === 'string' ? item.trim() : item));
  return items.filter((item) => item !== '');
}

// As lists in the environment are written everywhere: with commas, or as JSON.
function listOf(text: string): readonly unknown[] {
  if (!text.startsWith('[')) return text.split(',');
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    return [text];
  }
}
