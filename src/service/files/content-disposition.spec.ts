import { describe, expect, it } from 'vitest';
import { attachmentNamed } from './content-disposition.js';

describe('attachmentNamed', () => {
  it('leaves a plain name as it is', () => {
    expect(attachmentNamed('welcome.txt')).toBe(`attachment; filename="welcome.txt"; filename*=UTF-8''welcome.txt`);
  });

  it('lets no name out of its quotes, nor out of the header', () => {
    expect(attachmentNamed('a"b\\c%.txt')).toBe(`attachment; filename="a_b_c_.txt"; filename*=UTF-8''a%22b%5Cc%25.txt`);
    expect(attachmentNamed("naïve 😀 (1)*'.txt")).toBe(
      `attachment; filename="na_ve _ (1)*'.txt"; filename*=UTF-8''na%C3%AFve%20%F0%9F%98%80%20%281%29%2A%27.txt`,
    );
  });
});
