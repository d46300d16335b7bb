import { RookeryError, type RookeryErrorOptions, Status } from '../core/index.js';

/**
 * A file under `server.tls` cannot be read, is not PEM, or certificate and key do not belong together. No client gets it:
 * the start fails, or the former files stay. The operator corrects the files.
 */
export class TlsFilesError extends RookeryError {
  static override readonly reason = 'SERVER_TLS_FILES';
  static override readonly status = Status.FailedPrecondition;

  /** @param setting path of the setting, such as `server.tls.certFile` */
  constructor(setting: string, file: string, expectation: string, options: RookeryErrorOptions = {}) {
    super(`${setting}: ${file} (expected: ${expectation})`, options);
  }
}

/** A request on a management port of this machine alone names another host. Ask for it by address, or as `localhost`. */
export class ManagementHostError extends RookeryError {
  static override readonly reason = 'MANAGEMENT_HOST';
  static override readonly status = Status.PermissionDenied;

  constructor() {
    super('host is not served here (expected: an address or localhost)');
  }
}
