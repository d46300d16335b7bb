import { Controller, Get, Module } from '@nestjs/common';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { createService } from 'rookery';
import { Public } from 'rookery/auth';
import { Config, ConfigPrefix } from 'rookery/config';
import type { Live } from 'rookery/core';

// The program behind `CentredProcess`: compiled, and run by plain Node.

@ConfigPrefix('trial')
class TrialConfig {
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly number: number = 0;

  @IsOptional()
  @IsString()
  @MaxLength(32)
  readonly text?: string;
}

/** Has no default: the configuration must say it. */
@ConfigPrefix('needed')
class NeededConfig {
  @IsString()
  readonly word!: string;
}

/** What the configuration says at this moment. */
export interface CentredValues {
  readonly number: number;
  readonly text: string | null;
  readonly word: string;
}

@Controller('values')
@Public()
class ValuesController {
  readonly #trial: Live<TrialConfig>;
  readonly #needed: Live<NeededConfig>;

  constructor(@Config(TrialConfig) trial: Live<TrialConfig>, @Config(NeededConfig) needed: Live<NeededConfig>) {
    this.#trial = trial;
    this.#needed = needed;
  }

  @Get()
  read(): CentredValues {
    const { number, text = null } = this.#trial.value;
    return { number, text, word: this.#needed.value.word };
  }
}

@Module({ controllers: [ValuesController] })
class CentredModule {}

// With the argument `alone` nothing ends the process: it is to end when all is closed.
const isAlone = process.argv[2] === 'alone';
const service = await createService(CentredModule, { ownsProcess: !isAlone });
await service.listen();
process.on('message', (message) => {
  if (message === 'close') void close();
});
process.send?.('listening');

async function close(): Promise<void> {
  const startedAt = performance.now();
  await service.close();
  process.send?.(performance.now() - startedAt);
  process.disconnect();
}
