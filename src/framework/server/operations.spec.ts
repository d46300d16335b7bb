import { Controller, Get, Post, SetMetadata } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { GrpcMethod } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { Public } from '../auth/index.js';
import { metadataKeys } from '../core/index.js';
import { protectedOperations } from './operations.js';

@Controller('api/things')
class Things {
  @Get(':id')
  @Public()
  read(): void {}

  @Post()
  write(): void {}

  @GrpcMethod('things.v1.Things', 'Remove')
  remove(): void {}

  @GrpcMethod('things.v1.Things', 'Peek')
  @Public()
  peek(): void {}

  @Get('alive')
  @SetMetadata(metadataKeys.probe, true)
  probe(): void {}

  helper(): void {}
}

describe('protectedOperations', () => {
  it('names routes and RPCs that a token is needed for, and no others', () => {
    const modules = new Map([
      ['m', { controllers: new Map([[Things, { metatype: Things }]]) }],
    ]) as unknown as ModulesContainer;

    expect(protectedOperations(modules)).toEqual(['POST /api/things', 'things.v1.Things/Remove']);
  });
});
