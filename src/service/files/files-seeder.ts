import { createCipheriv } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Config } from 'rookery/config';
import type { Live } from 'rookery/core';
import { FilesConfig } from './files.config.js';
import { FilesRepository } from './files.repository.js';

// Not a multiple of the chunk size, so that the last part is a short one.
const sampleBytes = 1_048_576 + 37;

/** Makes the folder and, where `files.seed` says so, two files to try downloads with. */
@Injectable()
export class FilesSeeder implements OnModuleInit {
  readonly #files: FilesRepository;
  readonly #config: Live<FilesConfig>;

  constructor(files: FilesRepository, @Config(FilesConfig) config: Live<FilesConfig>) {
    this.#files = files;
    this.#config = config;
  }

  async onModuleInit(): Promise<void> {
    this.#files.prepare();
    if (!this.#config.value.seed) return;
    await this.#files.addIfMissing('welcome.txt', () => Buffer.from('Welcome to Rookery.\n'));
    await this.#files.addIfMissing('sample.bin', () => sampleContent(sampleBytes));
  }
}

/** Bytes without a pattern to the eye, the same on every machine: what AES in counter mode makes of zeros. */
export function sampleContent(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', 'rookery sample 1', Buffer.alloc(16)).update(Buffer.alloc(bytes));
}
