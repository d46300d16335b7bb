import http2 from 'node:http2';
import { fromBinary } from '@bufbuild/protobuf';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { frame, rawCall } from '../../../test/support/grpc-calls.js';
import { UserSchema, UserService } from '../../gen/user/service/v1/user_pb.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

const nameOf = (seed: number): string => String.fromCharCode(97 + (seed % 26)).repeat(80_000 + seed);

@Controller()
@GrpcService(UserService)
class Users {
  #served = 0;

  @Rpc()
  getUser() {
    this.#served += 1;
    return { displayName: nameOf(this.#served) };
  }
}

// Their buffers are used again as soon as they are sent, and only then.
describe('answers of many kilobytes', () => {
  it.each([
    ['that are sent at once', 2 ** 24],
    ['that wait for the caller to take them', 65_535],
  ])('%s arrive as they were made', async (_, windowBytes) => {
    await using app = await startGrpcApp({ controllers: [Users] });
    const session = http2.connect(`http://${app.address}`, { settings: { initialWindowSize: windowBytes } });
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    if (windowBytes > 65_535) session.setLocalWindowSize(windowBytes);

    const calls = Array.from({ length: 60 }, async () => {
      const { body } = await rawCall(session, UserService.method.getUser, frame(Buffer.alloc(0)));
      return fromBinary(UserSchema, body.subarray(5)).displayName;
    });
    const names = await Promise.all(calls);
    session.destroy();

    expect(new Set(names)).toEqual(new Set(names.map((_name, index) => nameOf(index + 1))));
  });
});
