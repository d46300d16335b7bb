/** The test that changes an option while the service runs: file and title. `a.*` stands for all below `a`. */
export const liveProofs: Readonly<Record<string, readonly [file: string, title: string]>> = {
  ...proofs('test/e2e/live-keys.e2e-spec.ts', {
    'refuses tokens of the former secret at once, remembered ones included': ['auth.jwt.secret'],
    'takes tokens of the former secret for as long as previousSecret names it, whatever the new key is': [
      'auth.jwt.previousSecret',
    ],
    'is taken over when its content changes, and the former key refused': ['auth.jwt.publicKeyFile'],
    'moves on to the new set and refuses the keys of the former': ['auth.jwt.jwksUri'],
    '%j holds from the next request on': [
      'auth.jwt.issuer',
      'auth.jwt.audience',
      'auth.jwt.algorithms',
      'auth.jwt.clockToleranceMs',
      'auth.jwt.requireExpiration',
    ],
  }),
  ...proofs('src/framework/auth/auth-keys.spec.ts', {
    'takes over another previous key file': ['auth.jwt.previousPublicKeyFile'],
  }),
  ...proofs('test/e2e/live-settings.e2e-spec.ts', {
    'level holds from the next line on': ['log.level'],
    'access is switched off and on': ['log.access'],
    'redact masks what is named now': ['log.redact'],
    'errorDetails holds for the next error': ['grpc.errorDetails'],
    'unknownFields holds for the next message': ['grpc.unknownFields'],
    'maxSendBytes holds for the next answer': ['grpc.maxSendBytes'],
    'compression and compressionMinBytes hold for the next answer': ['grpc.compression', 'grpc.compressionMinBytes'],
    'probeTimeoutMs, cacheMs and refreshMs hold for the next check': ['health.*'],
    'cache.maxTokens and cache.ttlMs hold from the next token on': ['auth.cache.*'],
    'jwks is used anew with every change, and service is in the next token': ['auth.jwks.*', 'auth.service.*'],
    'watches the changes that come after it was switched on': ['config.probation.*'],
    'drainDelayMs, graceMs and idleLingerMs are those of the moment of the stop': [
      'server.drainDelayMs',
      'server.graceMs',
      'server.idleLingerMs',
    ],
  }),
  ...proofs('src/framework/telemetry/standard-output.spec.ts', {
    'maxBufferedBytes of the options holds from the next line on': ['log.maxBufferedBytes'],
  }),
  ...proofs('test/e2e/process-endings.e2e-spec.ts', {
    'running requests have the crashGraceMs of that moment, and no more': ['server.crashGraceMs'],
  }),
  ...proofs('src/framework/grpc/backpressure.spec.ts', {
    'is let go by the bounds of the moment at which its call came': ['grpc.maxQueuedMessages', 'grpc.maxQueuedBytes'],
  }),
  ...proofs('src/framework/grpc/builtin-services.spec.ts', {
    'bounds the next stream by what the options say then': ['grpc.maxReflectionRequests', 'grpc.maxReflectionBytes'],
  }),
  ...proofs('test/e2e/open-by-default.e2e-spec.ts', {
    'health.details shows and hides names while the service runs': ['health.details'],
  }),
  ...proofs('test/e2e/live-cors.e2e-spec.ts', {
    'lets in who is named while the service runs, and nobody who is named no more': ['http.cors.origins'],
    'tells the preflight what holds now: headers, credentials, methods, time to keep it': [
      'http.cors.headers',
      'http.cors.credentials',
      'http.cors.methods',
      'http.cors.maxAgeSeconds',
    ],
    'lets pages of REST read the headers that are named now': ['http.cors.exposedHeaders'],
  }),
  ...proofs('test/e2e/live-quota.e2e-spec.ts', {
    'is switched on, changed and switched off by an edit, for both faces together': [
      'quota.ratePerSecond',
      'quota.burst',
    ],
    'counts by what is named now': ['quota.by'],
    'tells apart as many callers as are allowed now': ['quota.maxKeys'],
  }),
  ...proofs('test/e2e/live-limits.e2e-spec.ts', {
    'requestTimeoutMs and maxTimeoutMs hold for the next request on both faces': [
      'server.limits.requestTimeoutMs',
      'server.limits.maxTimeoutMs',
    ],
    'streamTimeoutMs holds for the next stream': ['server.limits.streamTimeoutMs'],
    'maxBodyBytes holds for the next request on both faces, announced or not': ['server.limits.maxBodyBytes'],
    'maxMessageElements and maxMessageDepth hold for the next message on gRPC': [
      'server.limits.maxMessageElements',
      'server.limits.maxMessageDepth',
    ],
    'maxHeaderBytes holds for the next connection on both versions of HTTP': ['server.limits.maxHeaderBytes'],
    'maxHeaderFields holds for the next connection on both versions of HTTP': ['server.limits.maxHeaderFields'],
    'maxQueryParameters holds for the next request': ['server.limits.maxQueryParameters'],
    'maxMessageElements and maxMessageDepth hold for the next JSON body': [
      'server.limits.maxMessageElements',
      'server.limits.maxMessageDepth',
    ],
    'maxConcurrentRequests holds at once, also for those at work already': ['server.limits.maxConcurrentRequests'],
    'firstByteTimeoutMs, headersTimeoutMs and bodyTimeoutMs hold for slow callers': [
      'server.limits.firstByteTimeoutMs',
      'server.limits.headersTimeoutMs',
      'server.limits.bodyTimeoutMs',
    ],
    'keepAliveTimeoutMs holds for the next connection': ['server.keepAliveTimeoutMs'],
    'maxConnections holds for the next connection': ['server.maxConnections'],
    'http2 holds for the next connection': ['server.http2.maxConcurrentStreams'],
  }),
  ...proofs('test/e2e/trusted-proxies.e2e-spec.ts', {
    'trustProxy holds for the next request, also on connections that are open': ['server.trustProxy'],
    'proxyProtocol holds for the next connection': ['server.proxyProtocol'],
  }),
  ...proofs('src/framework/server/http2-connection-options.spec.ts', {
    'is made of every option of server.http2, so that a change reaches the next connection': ['server.http2.*'],
    'is made of every option of server.http2.rates': ['server.http2.rates.*'],
  }),
  ...proofs('src/framework/server/one-port-tls.spec.ts', {
    'serves cleartext, or no longer, as the options say when the connection comes': ['server.tls.allowCleartext'],
  }),
  ...proofs('test/e2e/live-shares.e2e-spec.ts', {
    'maxConcurrentStreams holds for the next stream, and for streams alone': ['server.limits.maxConcurrentStreams'],
    'maxWaitingRequests holds for the next request': ['server.limits.maxWaitingRequests'],
    'maxBufferedBytes holds for the next body': ['server.limits.maxBufferedBytes'],
    'peerShare and connectionShare hold at once, also for those at work already': [
      'server.limits.peerShare',
      'server.limits.connectionShare',
    ],
    'maxConcurrentRequests and maxConcurrentStreams hold for the next request of a caller, and for no other caller': [
      'quota.maxConcurrentRequests',
      'quota.maxConcurrentStreams',
    ],
    'burst and perSecond hold from the next token on, on REST and gRPC together': ['auth.failures.*'],
  }),
  ...proofs('test/e2e/live-features.e2e-spec.ts', {
    'come and go by an edit, on both faces': ['features.*'],
  }),
  ...proofs('test/e2e/live-service.e2e-spec.ts', {
    'text is what both faces say from the next request on': ['greeting.text'],
    'maxPageSize is the most that a page has from the next request on, on both faces': ['paging.maxPageSize'],
    'maxEntriesPerUpload and batchSize hold for the next upload': ['logs.*'],
    'maxMembers and maxMembersPerRoom hold for the next member': ['chat.maxMembers', 'chat.maxMembersPerRoom'],
  }),
  ...proofs('src/service/chat/chat.service.spec.ts', {
    'keeps as many events for a new member as the configuration says now': ['chat.queueSize'],
    'ends calls by the times that the configuration says now': ['chat.drainQuietMs', 'chat.drainLimitMs'],
  }),
};

function proofs(
  file: string,
  titles: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly [string, string]> {
  return Object.fromEntries(
    Object.entries(titles).flatMap(([title, paths]) => paths.map((path) => [path, [file, title] as const])),
  );
}
