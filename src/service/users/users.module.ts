import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database/index.js';
import { UsersController } from './users.controller.js';
import { UsersHub } from './users-hub.js';
import { UsersRepository } from './users.repository.js';
import { UsersSeeder } from './users-seeder.js';
import { UsersService } from './users.service.js';

/** Users: unary calls, and a watch as server stream. */
@Module({
  imports: [DatabaseModule],
  controllers: [UsersController],
  providers: [UsersService, UsersRepository, UsersHub, UsersSeeder],
})
export class UsersModule {}
