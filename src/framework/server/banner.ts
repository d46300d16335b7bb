/** Requests that are worth trying on a fresh service. */
export interface Samples {
  /** A public REST path, such as `/api/v1/users/1`. */
  readonly path?: string;
  /** An RPC and its message as JSON, such as `user.service.v1.UserService/GetUser` and `{"id": 1}`. */
  readonly rpc?: string;
  readonly message?: string;
  /** Scopes of the token that is printed in development. */
  readonly scopes?: readonly string[];
}

/** What a developer wants to see when the service is up. */
export interface BannerInit {
  readonly name: string;
  readonly env: string;
  readonly address: string;
  readonly isTls: boolean;
  readonly samples: Samples;
  readonly token: string | undefined;
}

/** The lines printed at the end of a start in development: addresses, a request for each face, a token. */
export function bannerLines({ name, env, address, isTls, samples, token }: BannerInit): string[] {
  const base = `${isTls ? 'https' : 'http'}://${address}`;
  const lines = [
    '',
    `  ${name} is ready (${env})`,
    '',
    `  REST    ${base}`,
    `  gRPC    ${address}`,
    `  docs    ${base}/docs`,
    `  health  ${base}/health/ready`,
    '',
  ];
  if (samples.path !== undefined) lines.push(`  curl ${base}${samples.path}`);
  if (samples.rpc !== undefined) {
    lines.push(`  grpcurl ${isTls ? '' : '-plaintext '}-d '${samples.message ?? '{}'}' ${address} ${samples.rpc}`);
  }
  if (token !== undefined) lines.push('', '  token (12 h, for -H "authorization: Bearer …"):', `  ${token}`);
  return [...lines, ''];
}
