import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/index.js';
import { LogsController } from './logs.controller.js';
import { LogsRepository } from './logs.repository.js';
import { LogsService } from './logs.service.js';

/** Logs: an upload as client stream, and a list. */
@Module({
  imports: [DatabaseModule],
  controllers: [LogsController],
  providers: [LogsService, LogsRepository],
})
export class LogsModule {}
