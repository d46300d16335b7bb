import { didYouMean } from './did-you-mean.js';
import { type MergedConfig, originOf } from './layer.js';

/** One line for each section that no class is bound to, with a hint. */
export function unclaimedKeys(
  { tree, origins }: MergedConfig,
  prefixes: ReadonlySet<string>,
  isRead: (section: string) => boolean = () => false,
): string[] {
  const roots = new Set([...prefixes].map((prefix) => prefix.split('.')[0] as string));
  return Object.keys(tree)
    .filter((key) => !roots.has(key) && !isRead(key))
    .map((key) => {
      const near = didYouMean(key, roots);
      const source = originOf(origins, key)?.source ?? 'unknown';
      return `${key}: no class reads it (${near === undefined ? '' : `did you mean "${near}"?; `}from ${source})`;
    });
}
