import { Readable } from 'node:stream';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Get, Req, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from 'rookery/auth';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Raw } from 'rookery/http';
import { Input, Timeout } from 'rookery/pipeline';
import {
  type DownloadResponseSchema,
  FileService,
  type ListFilesResponseSchema,
} from '../../gen/file/service/v1/file_pb.js';
import { DescribeFileRead } from './describe-file-read.decorator.js';
import { answerFor } from './file-answer.js';
import { DownloadInput, FileNameInput, ListFilesInput } from './files.dto.js';
import { FilesService } from './files.service.js';

/** Files and their content, for anybody to read. */
@Controller('api/v1/files')
@GrpcService(FileService)
@Public()
export class FilesController {
  readonly #files: FilesService;

  constructor(files: FilesService) {
    this.#files = files;
  }

  @Get()
  @Rpc()
  listFiles(@Input() _input: ListFilesInput): Promise<MessageInitShape<typeof ListFilesResponseSchema>> {
    return this.#files.list();
  }

  @Rpc()
  download(@Input() { name, offset }: DownloadInput): AsyncIterable<MessageInitShape<typeof DownloadResponseSchema>> {
    return this.#files.download(name, offset);
  }

  @Get(':name')
  @DescribeFileRead()
  @Raw()
  // As long as a stream may take: a slow line has no more time for a large file on this face than on the other.
  @Timeout(3_600_000)
  async readFile(
    @Input() { name }: FileNameInput,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const file = await this.#files.open(name);
    try {
      const { status, headers, start, end } = answerFor(file, conditionsOf(request));
      reply.status(status).headers(headers);
      // Byte positions and the entity tag are those of the file: what is sent must not be compressed on its way.
      request.headers['x-no-compression'] = 'true';
      if (status === 304) {
        await file.close();
        return undefined;
      }
      const parts = request.method === 'HEAD' ? [] : file.read(start, end);
      // Not by the reader itself: one that is never started does not end either.
      const body = Readable.from(parts, { objectMode: false }).once('close', () => void file.close());
      return new StreamableFile(body, { type: headers['content-type'] ?? '' });
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

// A range is for GET alone: RFC 9110 section 14.2.
function conditionsOf({ method, headers }: FastifyRequest): FastifyRequest['headers'] {
  return method === 'GET' ? headers : { ...headers, range: undefined };
}
