import { Module } from '@nestjs/common';
import { ChatModule } from './chat/index.js';
import { FilesModule } from './files/index.js';
import { GreetingModule } from './greeting/index.js';
import { LogsModule } from './logs/index.js';
import { UsersModule } from './users/index.js';

/** The reference service: users, files, logs, chat, and a greeting. */
@Module({ imports: [UsersModule, FilesModule, LogsModule, ChatModule, GreetingModule] })
export class AppModule {}
