/**
 * Folders that the service keeps its data in.
 *
 * @example
 * makeFolder('data/files');
 */
export { makeFolder } from './make-folder.js';
