/** Who knows whether the process serves: what `grpc.health.v1` and other reporters ask. */
export abstract class HealthSource {
  /**
   * @param service full name of a service, or the empty string for the process as a whole
   * @returns `undefined` for a service that is not known here
   */
  abstract status(service: string): 'SERVING' | 'NOT_SERVING' | undefined;

  /** Calls `listener` after every change of any status. Returns the way to take it back. */
  abstract onChange(listener: () => void): () => void;

  /** Names of all known services; the empty string, for the process as a whole, is among them. */
  abstract services(): string[];
}
