// The longest name that common file systems take, in bytes.
const maxNameBytes = 255;

/**
 * Whether `name` can name a file of the folder: no path, nothing hidden, nothing that a terminal or a header would take
 * for more than text.
 */
export function isFileName(name: string): boolean {
  if (name === '' || name.startsWith('.') || Buffer.byteLength(name) > maxNameBytes) return false;
  return !/[/\\\p{Cc}\p{Cs}]/u.test(name);
}
