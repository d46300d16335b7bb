import { describe, expect, it } from 'vitest';
import { isWebType, webFormat, webType } from './web-format.js';

describe('the content types of gRPC-Web', () => {
  it.each([
    'application/grpc-web',
    'application/grpc-web+proto',
    'application/grpc-web-text',
    'application/grpc-web-text+proto',
    'application/grpc-web+json',
    'application/grpc-web;charset=utf-8',
  ])('include %s', (type) => {
    expect(isWebType(type)).toBe(true);
  });

  it.each([undefined, '', 'application/grpc', 'application/grpc+proto', 'application/grpc-website', 'text/plain'])(
    'do not include %s',
    (type) => {
      expect(isWebType(type)).toBe(false);
    },
  );

  it.each([
    ['application/grpc-web', undefined, false, false, 'application/grpc'],
    ['application/grpc-web+proto', '*/*', false, false, 'application/grpc+proto'],
    ['application/grpc-web-text+proto', undefined, true, true, 'application/grpc+proto'],
    ['application/grpc-web-text', 'application/grpc-web', true, false, 'application/grpc'],
    ['application/grpc-web', 'application/grpc-web-text', false, true, 'application/grpc'],
    ['application/grpc-web', 'text/html, application/grpc-web-text+proto;q=0.9', false, true, 'application/grpc'],
    ['application/grpc-web', '\u00a0application/grpc-web-text', false, false, 'application/grpc'],
    ['application/grpc-web', 'application/grpc-web-text\u00a0', false, false, 'application/grpc'],
    ['application/grpc-web', 'application/grpc-web-text;q=0', false, false, 'application/grpc'],
    ['application/grpc-web', 'application/grpc-web-text;q=2', false, false, 'application/grpc'],
    ['application/grpc-web', 'Application/GRPC-Web-Text ; q=0.1', false, true, 'application/grpc'],
    ['application/grpc-web-text+foo', 'x-application/grpc-web', true, true, 'application/grpc+foo'],
  ])('%s with accept %s', (type, accept, isRequestText, isAnswerText, nativeType) => {
    expect(webFormat(type, accept)).toEqual({ isRequestText, isAnswerText, nativeType });
  });

  it('name the answer as the native one is named', () => {
    expect(webType('application/grpc+proto', true)).toBe('application/grpc-web-text+proto');
    expect(webType('application/grpc', false)).toBe('application/grpc-web');
  });
});
