import { readFile } from 'node:fs';
import { Controller, Get, Injectable, Logger, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { createService, Public } from 'rookery';
import { Lifecycle } from 'rookery/core';

// The program behind `EndingProcess`: a service whose ways to fail and to end are chosen by its environment and by messages.

/** The first message of the program. */
export interface EndingReady {
  readonly port: number;
}

// Something that never ends, and keeps the event loop alive as a connection would.
const never = (): Promise<never> => new Promise(() => void setInterval(() => {}, 1000));
const gate = Promise.withResolvers<void>();

@Public()
@Controller()
class EndingController {
  @Get('ping')
  ping(): { readonly isUp: boolean } {
    return { isUp: true };
  }

  /** Answered when the program is told to. */
  @Get('held')
  async held(): Promise<{ readonly isReleased: boolean }> {
    process.send?.('held');
    await gate.promise;
    return { isReleased: true };
  }

  /** Writes a kilobyte to the log. */
  @Get('talk')
  talk(): { readonly isSaid: boolean } {
    new Logger('Talk').log('x'.repeat(1000));
    return { isSaid: true };
  }

  @Get('warn')
  warn(): { readonly isSaid: boolean } {
    new Logger('Talk').warn('x'.repeat(1000));
    return { isSaid: true };
  }
}

@Injectable()
class Driver implements OnModuleInit, OnModuleDestroy {
  async onModuleInit(): Promise<void> {
    if (process.env['ENDING_START'] !== 'hangs') return;
    process.send?.('starting');
    await never();
  }

  async onModuleDestroy(): Promise<void> {
    if (process.env['ENDING_STOP'] === 'throws') throw new Error('a driver that fails');
    if (process.env['ENDING_STOP'] === 'hangs') await never();
  }
}

@Module({ controllers: [EndingController], providers: [Driver] })
class EndingModule {}

const service = await createService(EndingModule);
if (process.env['ENDING_LISTENER'] === 'throws') {
  service.app.get(Lifecycle).onChange((phase) => {
    if (phase === 'draining') throw new Error('a listener that fails');
  });
}

const defects: Readonly<Record<string, () => void>> = {
  exception: () => {
    throw new Error('a defect', { cause: new Error('what is behind it') });
  },
  rejection: () => void Promise.reject(new Error('a defect', { cause: new Error('what is behind it') })),
  timer: () => void setTimeout(() => defects['exception']?.(), 1),
  nothing: () => {
    throw undefined;
  },
  textless: () => {
    throw Object.create(null) as object;
  },
  trap: () => {
    throw new Proxy(new Error('a trap'), {
      get: () => {
        throw new Error('trapped');
      },
    });
  },
};

await service.listen();
process.on('message', (message: string) => {
  if (message === 'release') gate.resolve();
  // A thread of the pool that never comes back.
  else if (message.startsWith('read ')) readFile(message.slice(5), () => {});
  else if (message === 'megabytes') new Logger('Talk').log({ msg: 'megabytes', text: 'm'.repeat(3_000_000) });
  else if (message === 'keep alive') setInterval(() => {}, 1000);
  else defects[message]?.();
});
process.send?.({ port: Number(new URL(service.url).port) } satisfies EndingReady);
