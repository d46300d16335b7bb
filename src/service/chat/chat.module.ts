import { Module } from '@nestjs/common';
import { ChatController } from './chat.controller.js';
import { ChatRooms } from './chat-rooms.js';
import { ChatService } from './chat.service.js';

/** Chat: rooms in memory, joined by a bidirectional stream. */
@Module({
  controllers: [ChatController],
  providers: [ChatService, ChatRooms],
})
export class ChatModule {}
