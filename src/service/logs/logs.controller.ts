import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Get } from '@nestjs/common';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import {
  type ListEntriesResponseSchema,
  LogService,
  type UploadSummarySchema,
} from '../../gen/log/service/v1/log_pb.js';
import { ListEntriesInput, LogEntryInput } from './logs.dto.js';
import { LogsService } from './logs.service.js';

/** Log entries of clients; for anybody with a token. */
@Controller('api/v1/logs')
@GrpcService(LogService)
export class LogsController {
  readonly #logs: LogsService;

  constructor(logs: LogsService) {
    this.#logs = logs;
  }

  @Rpc()
  upload(
    @Input(LogEntryInput) entries: AsyncIterable<LogEntryInput>,
  ): Promise<MessageInitShape<typeof UploadSummarySchema>> {
    return this.#logs.upload(entries);
  }

  @Get()
  @Rpc()
  listEntries(
    @Input() { pageSize, pageToken, source }: ListEntriesInput,
  ): Promise<MessageInitShape<typeof ListEntriesResponseSchema>> {
    return this.#logs.list(pageSize, pageToken, source);
  }
}
