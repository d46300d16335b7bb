import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { registerApiDocs } from 'rookery/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesController } from './files.controller.js';
import { FilesService } from './files.service.js';

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly responses: Readonly<Record<string, { readonly content?: object; readonly headers?: object }>>;
}

describe('the description of GET /api/v1/files/{name}', () => {
  let app: NestFastifyApplication;
  let operation: Operation;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      controllers: [FilesController],
      providers: [{ provide: FilesService, useValue: {} }],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
    await registerApiDocs(app, { title: 'files', version: '1.0.0' });
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    const document: { paths: Record<string, { get: Operation }> } = (await app.inject('/openapi.json')).json();
    operation = document.paths['/api/v1/files/{name}']?.get as Operation;
  });
  afterAll(() => app.close());

  it('has the headers that decide what is sent', () => {
    expect(operation.parameters.map(({ in: place, name, required }) => [place, name, required])).toEqual(
      expect.arrayContaining([
        ['path', 'name', true],
        ['header', 'Range', false],
        ['header', 'If-Range', false],
        ['header', 'If-None-Match', false],
        ['header', 'If-Modified-Since', false],
      ]),
    );
    expect(operation.parameters).toHaveLength(5);
  });

  it('has the whole, a part, and nothing new', () => {
    const { 200: whole, 206: part, 304: unchanged } = operation.responses;
    const content = { '*/*': { schema: { type: 'string', format: 'binary' } } };

    expect(whole?.content).toEqual(content);
    expect(part?.content).toEqual(content);
    expect(unchanged).not.toHaveProperty('content');
    const state = ['etag', 'last-modified', 'accept-ranges', 'cache-control'];
    expect(Object.keys(unchanged?.headers ?? {})).toEqual(state);
    expect(Object.keys(whole?.headers ?? {})).toEqual([...state, 'content-disposition']);
    expect(Object.keys(part?.headers ?? {})).toEqual([...state, 'content-disposition', 'content-range']);
  });

  it('has the range that the file does not have, with the size it has, beside the errors of every route', () => {
    const { 404: missing, 416: behind } = operation.responses;

    expect(missing).toBeDefined();
    expect(Object.keys(behind?.headers ?? {})).toEqual(['content-range']);
    expect(behind?.content).toMatchObject({
      'application/json': { schema: { $ref: '#/components/schemas/ErrorEnvelope' } },
    });
  });
});
