/**
 * The header by which a browser saves a file under its name and never shows it: what others have put into the folder
 * must not run as a page of this service.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6266#appendix-D the plain name for old clients, the encoded one for all others
 */
export function attachmentNamed(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/gu, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
