import { Controller, Get, Module, Redirect } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http } from '../support/http-caller.js';

@Controller('moved')
@Public()
class MovedController {
  @Get('fixed')
  @Redirect('/there', 307)
  fixed(): void {}

  @Get('chosen')
  @Redirect('/there', 302)
  async chosen(): Promise<object> {
    return { url: '/elsewhere', statusCode: 308 };
  }
}

@Module({ controllers: [MovedController] })
class MovedModule {}

let service: TestService;

beforeAll(async () => {
  service = await startTestService(MovedModule);
});

afterAll(() => service.close());

describe('@Redirect()', () => {
  it.each([
    ['fixed', 307, '/there'],
    ['chosen', 308, '/elsewhere'],
  ])('leads where it says, or where the handler does: %s', async (path, status, location) => {
    const answer = await http(service.url, { path: `/moved/${path}` });

    expect(answer).toMatchObject({ status, headers: { location } });
  });
});
