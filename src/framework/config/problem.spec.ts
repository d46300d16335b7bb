import { describe, expect, it } from 'vitest';
import { isSecretProperty, shown } from './problem.js';

describe('the name of a value', () => {
  it.each([
    ...['password', 'db-password', 'passwd', 'passphrase', 'pass', 'dbPass', 'pwd', 'redis_pwd', 'clientSecret'],
    ...['token', 'access-token', 'tokens', 'refreshTokens', 'apiKey', 'api-key', 'API_KEY', 'apiKeys', 'access-key'],
    ...['accessKey', 'secret-key', 'private-key', 'signing_key', 'encryptionKey', 'credentials', 'authorization'],
  ])('says that it is a secret: %s', (name) => {
    expect(isSecretProperty(undefined, name)).toBe(true);
  });

  it.each([
    ...['maxTokens', 'bypass', 'keyId', 'privateKeyFile', 'publicKeyFile', 'key', 'keepAliveMs', 'monkey', 'port'],
  ])('says nothing of the kind: %s', (name) => {
    expect(isSecretProperty(undefined, name)).toBe(false);
  });
});

describe('a value as a message has it', () => {
  it.each([
    ['redis://me:hunter2@host', 'redis://me:***@host'],
    ['redis://:hunter2@host:6379/1', 'redis://:***@host:6379/1'],
    ['redis://me:hun@ter/2@host', 'redis://me:***@host'],
    ['http://host:8080/users/a@b', 'http://host:8080/users/a@b'],
    ['amqp://a:hunter2@one,amqp://a:hunter3@two', 'amqp://a:***@two'],
    ['jdbc:mysql://h/db?user=u&password=hunter2', 'jdbc:mysql://h/db?user=u&password=***'],
    ['jdbc:mysql://h/db?password=hunter2&ssl=1', 'jdbc:mysql://h/db?password=***&ssl=1'],
    ['Server=h;User Id=u;Pwd=hunter2;Encrypt=1', 'Server=h;User Id=u;Pwd=***;Encrypt=1'],
    ['https://h/x?access_token=hunter2', 'https://h/x?access_token=***'],
    ['Bearer hunter2', 'Bearer ***'],
    ['-----BEGIN PRIVATE KEY-----\nhunter2', '***'],
  ])('has no password: %s', (text, expected) => {
    expect(shown(text)).toBe(JSON.stringify(expected));
  });

  it('is found in time, whatever the text is', () => {
    const begin = performance.now();
    shown('://a:'.repeat(200_000));
    shown('password='.repeat(100_000));
    expect(performance.now() - begin).toBeLessThan(500);
  });
});
