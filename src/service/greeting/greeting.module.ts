import { Module } from '@nestjs/common';
import { GreetingController } from './greeting.controller.js';

/** A greeting, on both faces. */
@Module({ controllers: [GreetingController] })
export class GreetingModule {}
