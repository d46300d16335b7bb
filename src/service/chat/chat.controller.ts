import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller } from '@nestjs/common';
import { Caller } from 'rookery/auth';
import type { Principal } from 'rookery/core';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { ChatService as ChatRpcs, type JoinResponseSchema } from '../../gen/chat/service/v1/chat_pb.js';
import { JoinInput } from './chat.dto.js';
import { ChatService } from './chat.service.js';

/** Rooms in which members talk to each other; for anybody with a token. */
@Controller()
@GrpcService(ChatRpcs)
export class ChatController {
  readonly #chat: ChatService;

  constructor(chat: ChatService) {
    this.#chat = chat;
  }

  @Rpc()
  join(
    @Input(JoinInput) messages: AsyncIterable<JoinInput>,
    @Caller() caller: Principal,
  ): AsyncIterable<MessageInitShape<typeof JoinResponseSchema>> {
    return this.#chat.join(caller.subject, messages);
  }
}
