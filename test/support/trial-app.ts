import type { DynamicModule, Type } from '@nestjs/common';
import {
  openResources,
  type Resources,
  startTestService,
  type TestService,
  type TestServiceOptions,
  untilReleased,
} from 'rookery/testing';
import { expect } from 'vitest';
import { UserService } from '../../src/gen/user/service/v1/user_pb.js';
import { GrpcCaller, methodOf } from './grpc-caller.js';
import { http } from './http-caller.js';
import { TrialModule } from './trial.module.js';
import { TrialService } from './trial-proto.js';
import { TrialState } from './trial-state.js';

/** A service under test with a caller of each face, and what its trial handlers show. */
export class TrialApp {
  readonly test: TestService;
  readonly caller: GrpcCaller;
  readonly #before: Resources;

  private constructor(test: TestService, before: Resources) {
    this.test = test;
    this.caller = new GrpcCaller(test.address);
    this.#before = before;
  }

  static async start(
    application: Type | DynamicModule = TrialModule,
    options: TestServiceOptions = {},
  ): Promise<TrialApp> {
    const before = openResources();
    return new TrialApp(await startTestService(application, options), before);
  }

  get url(): string {
    return this.test.url;
  }

  get port(): number {
    return this.test.port;
  }

  get state(): TrialState {
    return this.test.service.app.get(TrialState, { strict: false });
  }

  /** Requests that the service believes to be at work on. */
  get inFlight(): number {
    return this.test.service.lifecycle.inFlight;
  }

  /** Asserts that both faces answer as if nothing had happened. */
  async stillServes(): Promise<void> {
    const [rest, rpc] = await Promise.all([
      http(this.url, { method: 'POST', path: '/trial/orders', body: { title: 'still here' } }),
      this.caller.call(methodOf(TrialService, 'PlaceOrder'), [{ title: 'still here' }]),
    ]);
    expect(rest.json).toEqual({ code: 201, data: { title: 'still here', items: [], tags: [] }, message: 'success' });
    expect(rpc).toMatchObject({ failure: undefined, messages: [{ title: 'still here' }] });
  }

  /** Stops, and asserts that everything ended by itself and nothing stays open. */
  async close(): Promise<void> {
    this.caller.close();
    expect(await this.test.close()).toBe(0);
    await untilReleased(this.#before);
  }
}

/** The users' service of the reference service. */
export const users = {
  get: methodOf(UserService, 'GetUser'),
  list: methodOf(UserService, 'ListUsers'),
  create: methodOf(UserService, 'CreateUser'),
  update: methodOf(UserService, 'UpdateUser'),
  remove: methodOf(UserService, 'DeleteUser'),
  watch: methodOf(UserService, 'WatchUsers'),
} as const;
