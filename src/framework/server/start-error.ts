import { ConfigError } from '../config/index.js';

// Causes of causes: whoever made a longer chain than this has made a ring.
const maxCauses = 10;

/** The service could not start; `message` is one readable line for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** The lines an operator needs of an error that stopped a start: causes included, stacks left out. */
export function startLines(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  // One line for each problem is enough: that they are problems of the configuration, their paths say.
  if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE')
    return [`cannot listen on ${address}:${port}: the address is in use (another process, or PORT is wrong)`];
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return [`${error.message}: no such host to listen on (server.host, HOST)`];
  if (code === 'EACCES' && port !== undefined) return [`cannot listen on ${address}:${port}: permission denied`];
  const { cause: below } = error;
  const isNews = below instanceof Error && !error.message.includes(below.message);
  const cause = isNews ? ` (${below.message})` : '';
  return `${error.message}${cause}`.split('\n');
}

/** The stacks of an error and of its causes, for the developer. None for what is wrong with the configuration. */
export function startStacks(error: unknown): string[] {
  const stacks: string[] = [];
  if (error instanceof ConfigError) return stacks;
  for (let each = error; each instanceof Error && stacks.length < maxCauses; each = each.cause) {
    stacks.push(`${stacks.length === 0 ? '' : 'caused by '}${each.stack}`);
  }
  return stacks;
}
