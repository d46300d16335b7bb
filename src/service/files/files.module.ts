import { Module } from '@nestjs/common';
import { FilesController } from './files.controller.js';
import { FilesRepository } from './files.repository.js';
import { FilesSeeder } from './files-seeder.js';
import { FilesService } from './files.service.js';

/** Files of a folder: downloads as server stream, and over REST with ranges. */
@Module({
  controllers: [FilesController],
  providers: [FilesService, FilesRepository, FilesSeeder],
})
export class FilesModule {}
