/**
 * Rooms in which callers talk to each other: `chat.service.v1.ChatService`.
 *
 * @example
 * imports: [ChatModule]
 */
export { ChatModule } from './chat.module.js';
