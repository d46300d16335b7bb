import 'reflect-metadata';
import { Controller, Get, Module, Version, VersioningType } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { Public } from '../auth/index.js';
import { createService } from './create-service.js';

@Controller('cats')
@Public()
class CatsController {
  @Get()
  @Version('1')
  first(): string {
    return 'first';
  }

  @Get()
  @Version('2')
  second(): string {
    return 'second';
  }
}

@Module({ controllers: [CatsController] })
class CatsModule {}

const paths = { 'server.host': '127.0.0.1', 'server.port': '0', 'log.level': 'silent', 'server.idleLingerMs': '0' };

describe('Service', () => {
  it('describes its routes with the prefix and the versions that the application is given before it listens', async () => {
    const service = await createService(CatsModule, {
      ownsProcess: false,
      config: {
        environment: { ROOKERY_ENV: 'test' },
        argv: Object.entries(paths).flatMap(([path, value]) => ['--set', `${path}=${value}`]),
      },
    });
    service.app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI });
    await service.listen();
    try {
      const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: object };

      const cats = Object.keys(document.paths).filter((path) => path.endsWith('/cats'));
      expect(cats).toEqual(['/api/v1/cats', '/api/v2/cats']);
      for (const path of cats) expect((await fetch(service.url + path)).status).toBe(200);
    } finally {
      await service.close();
    }
  });
});
