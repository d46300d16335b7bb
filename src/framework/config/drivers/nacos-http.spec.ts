import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../../test/support/eventually.js';
import { FakeNacosHttp } from '../../../../test/support/fake-nacos-http.js';
import type { NacosOptions } from '../../nacos/index.js';
import type { ConfigDriverEvents } from '../config.driver.js';
import { NacosHttpDriver } from './nacos-http.js';

let fake: FakeNacosHttp;
const drivers: NacosHttpDriver[] = [];

beforeEach(async () => {
  fake = await FakeNacosHttp.start();
});

afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
  await fake.close();
});

function newDriver(dataIds: readonly string[] = ['a'], changes: Partial<NacosOptions> = {}): NacosHttpDriver {
  const driver = new NacosHttpDriver({
    connection: { servers: [fake.address], requestTimeoutMs: 2000, ...changes },
    dataIds: dataIds.map((dataId) => ({ group: 'G', dataId, format: undefined })),
    namespace: 'n',
    endpoints: [],
  });
  drivers.push(driver);
  return driver;
}

interface Heard extends ConfigDriverEvents {
  readonly contents: (string | undefined)[][];
  readonly failures: string[];
  recoveries: number;
}

function heard(): Heard {
  return {
    contents: [],
    failures: [],
    recoveries: 0,
    onContents(contents) {
      this.contents.push(contents.map(({ content }) => content));
    },
    onFailure({ message }) {
      this.failures.push(message);
    },
    onRecovery() {
      this.recoveries += 1;
    },
  };
}

const soon = (): AbortSignal => AbortSignal.timeout(4000);

/** A driver that has read, watches, and waits for a change. */
async function watching(dataIds?: readonly string[], changes?: Partial<NacosOptions>): Promise<Heard> {
  const driver = newDriver(dataIds, changes);
  await driver.read(soon());
  const events = heard();
  driver.watch(events);
  await eventually('it waits for a change', () => fake.waiting > 0);
  return events;
}

const login = { username: 'us3r', password: 'pa55word' };

describe('NacosHttpDriver', () => {
  it('logs in once, and has neither user, password nor token in a path or form', async () => {
    fake.contents.set('a', 'a: 1');
    const events = await watching(['a', 'b'], login);
    fake.change('a', 'a: 2');
    fake.tell();
    await eventually('the change', () => events.contents.length === 1);

    const [first, ...others] = fake.requests;
    expect(first).toMatchObject({ method: 'POST', path: '/v3/auth/user/login' });
    expect(others.length).toBeGreaterThan(4);
    for (const { raw, headers } of others) {
      expect(raw).not.toMatch(/us3r|pa55word/);
      expect(headers.authorization).toBe('Bearer t0ken');
      expect(raw.split('\n').filter((_part, index) => index !== 1)).not.toContain('t0ken');
    }
  });

  it('takes nothing from the environment along', async () => {
    vi.stubEnv('ALIBABA_CLOUD_ACCESS_KEY_ID', 'cl0ud-id');
    vi.stubEnv('ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'cl0ud-secret');
    vi.stubEnv('ALIBABA_CLOUD_CREDENTIALS_URI', `http://${fake.address}/credentials`);

    await newDriver().read(soon());

    expect(fake.requests.map(({ path }) => path)).toEqual(['/v1/cs/configs']);
    expect(fake.requests[0]?.raw.toLowerCase()).not.toMatch(/cl0ud|spas|unused/);
  });

  it('logs in again where the token is refused, once', async () => {
    let refusals = 1;
    fake.intercept = ({ path }) =>
      path.startsWith('/v1/cs') && refusals-- > 0 ? { status: 403, body: 'token expired' } : undefined;
    fake.contents.set('a', 'a: 1');

    const contents = await newDriver(['a'], login).read(soon());

    expect(contents[0]?.content).toBe('a: 1');
    expect(fake.requests.map(({ path }) => path)).toEqual([
      '/v3/auth/user/login',
      '/v1/cs/configs',
      '/v3/auth/user/login',
      '/v1/cs/configs',
    ]);
  });

  it.each([
    [
      { status: 410, body: '{"code":40000}' },
      'NACOS_REQUEST_FAILED',
      'speaks gRPC only (HTTP status 410; nacos.transport: grpc)',
    ],
    [
      { status: 404, body: '<html>nginx</html>' },
      'NACOS_REQUEST_FAILED',
      'HTTP status 404 (expected: Nacos under nacos.contextPath)',
    ],
    [{ status: 403, body: '{"message":"no right"}' }, 'NACOS_DENIED', 'HTTP status 403: no right'],
    [{ status: 429, body: '' }, 'NACOS_OVERLOADED', 'HTTP status 429'],
    [{ status: 503, body: 'server is STARTING' }, 'NACOS_UNAVAILABLE', 'HTTP status 503: server is STARTING'],
    [{ status: 500, body: '<html>secret page</html>' }, 'NACOS_REQUEST_FAILED', 'HTTP status 500'],
    ['hang', 'NACOS_TIMEOUT', 'no answer within 200 ms'],
  ] as const)('says what is wrong when the answer is %j', async (answer, reason, said) => {
    fake.intercept = () => answer;
    const driver = newDriver(['a'], { requestTimeoutMs: 200 });

    const failure = (await driver.read(AbortSignal.timeout(600)).catch((error: unknown) => error)) as Error;

    expect(failure).toMatchObject({ reason });
    expect(failure.message.endsWith(said)).toBe(true);
    expect(failure.message).toContain(fake.address);
  });

  it('asks again while the server writes the document down', async () => {
    let conflicts = 3;
    fake.contents.set('a', 'a: 1');
    fake.intercept = () => (conflicts-- > 0 ? { status: 409, body: 'being modified' } : undefined);

    expect((await newDriver().read(soon()))[0]?.content).toBe('a: 1');
    expect(fake.requests).toHaveLength(4);
  });

  it('waits between attempts, where the package would not', async () => {
    fake.intercept = () => ({ status: 500, body: '' });

    await newDriver()
      .read(AbortSignal.timeout(1000))
      .catch(() => {});

    // 100, 200, 400, 800 ms at most, half of it at least.
    expect(fake.requests.length).toBeLessThanOrEqual(7);
  });

  it('makes one call of all that the server knows of at the same time', async () => {
    for (const id of ['a', 'b', 'c']) fake.contents.set(id, 'x: 1');
    const events = await watching(['a', 'b', 'c']);

    fake.change('a', 'x: 2');
    fake.tell();
    await eventually('the documents are asked for', () => fake.waiting === 0);
    fake.change('b', 'x: 2');
    fake.change('c', undefined);
    await eventually('the change', () => events.contents.length > 0);

    expect(events.contents).toEqual([['x: 2', 'x: 2', undefined]]);
  });

  it('tells of an outage after a second, of its end at once, and of no change where there is none', async () => {
    // It would print the request.
    const complaint = vi.spyOn(console, 'error');
    fake.contents.set('a', 'a: 1');
    const events = await watching();
    fake.intercept = () => ({ status: 503, body: 'away' });
    fake.change('a', 'a: 2');
    fake.tell();
    await eventually('the failure', () => events.failures.length > 0);
    const requests = fake.requests.length;
    fake.change('a', 'a: 1');
    fake.intercept = () => undefined;
    await eventually('the end', () => events.recoveries === 1);

    expect(events).toMatchObject({ contents: [], failures: [expect.stringContaining('HTTP status 503: away')] });
    // One change, and attempts after 200, 400, 800 ms.
    expect(requests).toBeLessThan(15);
    expect(complaint).not.toHaveBeenCalled();
  });

  it.each([
    ['nothing', undefined],
    ['something else', 'b: 1'],
  ])('finds a server again that has %s', async (_what, content) => {
    fake.contents.set('a', 'a: 1');
    const events = await watching(['a', 'absent'], login);
    const port = Number(fake.address.split(':')[1]);
    await fake.close();
    await eventually('the failure', () => events.failures.length > 0);

    fake = await FakeNacosHttp.start(port);
    fake.change('a', content);
    await eventually('the contents', () => events.contents.length > 0);

    expect(events).toMatchObject({ contents: [[content, undefined]], recoveries: 1 });
  });

  it('tells what was lost between reading and watching', async () => {
    fake.contents.set('a', 'a: 1');
    const driver = newDriver(['a', 'absent']);
    await driver.read(soon());
    const port = Number(fake.address.split(':')[1]);
    await fake.close();
    const events = heard();
    driver.watch(events);
    await eventually('the failure', () => events.failures.length > 0);

    fake = await FakeNacosHttp.start(port);
    await eventually('the contents', () => events.contents.length > 0);

    expect(events.contents).toEqual([[undefined, undefined]]);
  });

  it('finds a change that the server lets pass while it begins to wait, and waits on', async () => {
    fake.contents.set('a', 'a: 1');
    const events = await watching();

    // Without a word to the requests that wait.
    fake.change('a', 'a: 2');
    await eventually('the change', () => events.contents.length > 0, 3000);
    await eventually('it waits for the next', () => fake.waiting === 1);

    expect(events).toMatchObject({ contents: [['a: 2']], failures: [] });
  });

  it('looks at a server that waits once more, and not again', async () => {
    fake.contents.set('a', 'a: 1');
    await watching();
    const before = fake.requests.length;

    await new Promise((resolve) => setTimeout(resolve, 1800));

    expect(fake.requests.length - before).toBe(1);
    expect(fake.waiting).toBe(1);
  });

  it('does not run in circles with a server that does not agree with itself', async () => {
    fake.contents.set('a', 'a: 1');
    fake.md5Of = () => 'another';
    const driver = newDriver();
    await driver.read(soon());
    const events = heard();
    driver.watch(events);
    await eventually('it has asked some times', () => fake.requests.length > 8);
    const before = fake.requests.length;

    await new Promise((resolve) => setTimeout(resolve, 1000));

    expect(fake.requests.length - before).toBeLessThan(16);
    expect(events.failures).toEqual([]);
  });

  it('takes a 200 that says "false" for no success', async () => {
    fake.intercept = ({ method }) => (method === 'POST' ? { status: 200, body: 'false' } : undefined);

    await expect(newDriver().access.publish({ dataId: 'a', group: 'G' }, 'a: 1', {})).rejects.toThrow('not done');
  });

  it('ends whatever is under way when it is closed, without a word on the console', async () => {
    const complaints = [vi.spyOn(console, 'error'), vi.spyOn(process.stderr, 'write')];
    const uncaught = vi.fn<(error: unknown) => void>();
    process.on('uncaughtException', uncaught);
    fake.contents.set('a', 'a: 1');
    const events = await watching();
    // A change of which the new content never comes.
    fake.intercept = ({ method }) => (method === 'GET' ? 'hang' : undefined);
    fake.change('a', 'a: 2');
    fake.tell();
    await eventually('it asks for the content', () => fake.requests.at(-1)?.method === 'GET');

    await drivers[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.removeListener('uncaughtException', uncaught);

    expect(uncaught).not.toHaveBeenCalled();
    for (const complaint of complaints) expect(complaint).not.toHaveBeenCalled();
    expect(events).toMatchObject({ contents: [], failures: [] });
  });
});
