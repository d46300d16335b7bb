/**
 * Keys under which decorators leave their word on classes and methods (reflect-metadata). They stand here so that
 * modules of one layer can heed each other's decorators without importing each other.
 */
export const metadataKeys = {
  /** `true`: anybody may call it. */
  public: 'rookery:public',
  /** `true`: the answer is not wrapped in the envelope. */
  raw: 'rookery:raw',
  /** Time limit in ms. */
  timeout: 'rookery:timeout',
  /** `true`: served also while draining and over the concurrency limit, and not logged (probes). */
  probe: 'rookery:probe',
  /** `true` on a controller's prototype and method: the method takes an `@Input()`. */
  input: 'rookery:input',
  /** The protobuf method (`DescMethod`) that a controller method implements. */
  rpc: 'rookery:rpc',
} as const;
