import { http } from './http-caller.js';

/** What `GET /metrics` says, by name and labels. */
export async function figuresOf(url: string): Promise<Map<string, number>> {
  const { text } = await http(url, { path: '/metrics' });
  return new Map(Array.from(text.matchAll(/^(rookery_\S+) (\S+)$/gm), ([, name = '', value]) => [name, Number(value)]));
}

/** What is in use of a bound. */
export async function inUse(url: string, bound: string): Promise<number> {
  return (await figuresOf(url)).get(`rookery_server_in_use{bound="${bound}"}`) ?? Number.NaN;
}

/** Refusals of a bound so far, for one share or for all. */
export async function refusals(url: string, bound: string, scope?: 'process' | 'peer' | 'connection'): Promise<number> {
  const figures = await figuresOf(url);
  const scopes = scope === undefined ? ['process', 'peer', 'connection'] : [scope];
  return scopes.reduce(
    (sum, each) => sum + (figures.get(`rookery_server_refused_total{bound="${bound}",scope="${each}"}`) ?? Number.NaN),
    0,
  );
}
