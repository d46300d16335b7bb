// Rookery as it is measured: the public package, everything on but the line per request.
import { Module } from '@nestjs/common';
import { createService } from 'rookery';
import { RequestMetrics } from 'rookery/telemetry';
import { BenchController } from './bench.controller.js';

@Module({ controllers: [BenchController] })
class BenchModule {}

const port = process.env['PORT'] ?? '';
const secret = process.env['BENCH_SECRET'] ?? '';
const service = await createService(BenchModule, {
  config: {
    directory: 'bench/service/config',
    environment: { ROOKERY_ENV: 'production' },
    argv: ['--set', `server.port=${port}`, '--set', `auth.jwt.secret=${secret}`],
  },
});
// For the price of counting each request.
if (process.env['BENCH_METRICS'] === 'off') service.app.get(RequestMetrics, { strict: false }).close();
await service.listen();
