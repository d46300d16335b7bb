/**
 * What an operator's token needs for what a process serves about itself: the description of its API (OpenAPI, docs page,
 * gRPC reflection), its state (metrics, details of health), or the inside of the process. `process:read` is enough for all.
 */
export type OperatorScope = 'docs:read' | 'metrics:read' | 'process:read';

/** Decides who gets what a process serves about itself; provided by authentication, asked by the modules that serve it. */
export abstract class OperatorAccess {
  /**
   * Admits the caller of the current request, by its bearer token.
   *
   * @throws RookeryError (or rejects) there is no valid token, or it has neither `scope` nor `process:read`
   */
  abstract admitOperator(scope: OperatorScope): boolean | Promise<boolean>;
}
