/** Who makes a request, as the verified token says. */
export interface Principal {
  /** Claim `sub`. */
  readonly subject: string;
  /** Claim `scope`, split at spaces. */
  readonly scopes: ReadonlySet<string>;
  /** Claim `roles`. */
  readonly roles: ReadonlySet<string>;
  /** Claim `tenant`. */
  readonly tenant: string | undefined;
  /** All claims of the token. */
  readonly claims: Readonly<Record<string, unknown>>;
}
