/**
 * A service under test: started on a free port of this machine, asked over real sockets, stopped without a trace.
 *
 * @example
 * const test = await startTestService(AppModule, { set: { 'paging.maxPageSize': 5 } });
 * const answer = await fetch(`${test.url}/api/v1/users`, { headers: { authorization: `Bearer ${test.token({ scope: 'users:read' })}` } });
 * await test.close();
 */
export { startTestService, type TestService, type TestServiceOptions } from './test-service.js';
export { signTestToken, testSecret } from './test-token.js';
export { openResources, type Resources, untilReleased } from './open-resources.js';
