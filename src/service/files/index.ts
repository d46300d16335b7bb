/**
 * Files to download: `file.service.v1.FileService` in chunks with a checksum, `/api/v1/files` with byte ranges.
 *
 * @example
 * imports: [FilesModule]
 */
export { FilesModule } from './files.module.js';
