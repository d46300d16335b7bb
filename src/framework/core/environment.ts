/**
 * Whether `env` is one of the environments in which rules are relaxed: a random key, tokens without an end, loopback
 * only, open documentation. Exactly `development` and `test`: every other name, known or not, has the rules of production.
 *
 * @param env the environment's name, as `ROOKERY_ENV` has it
 */
export function isLocalEnvironment(env: string): boolean {
  return env === 'development' || env === 'test';
}
