import { once } from 'node:events';
import { connect } from 'node:http2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { methodOf } from '../support/grpc-caller.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

// Of five bytes each: a frame has three thousand of them, and the socket is read a dozen frames at a time.
const many = 200_000;
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start();
});

afterAll(() => app.close());

it('a stream of many small messages keeps no other call waiting, and gets all of them handled', async () => {
  const order = methodOf(TrialService, 'PlaceOrder');
  await app.caller.call(order, [{ title: 'patient' }]);
  app.state.open();
  const session = connect(app.url);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${TrialService.typeName}/Consume`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const consumed = app.state.told('consumed');
  stream.end(Buffer.alloc(5 * many));
  await consumed;

  const { failure } = await app.caller.call(order, [{ title: 'patient' }]);

  expect(failure).toBeUndefined();
  expect(app.state.consumed).toBeLessThan(many / 20);
  stream.resume();
  const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>];
  expect([trailers['grpc-status'], app.state.consumed]).toEqual(['0', many]);
  session.close();
}, 60_000);
