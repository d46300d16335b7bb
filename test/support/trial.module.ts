import { Module } from '@nestjs/common';
import { TrialController } from './trial.controller.js';
import { TrialState } from './trial-state.js';

/** A small application for tests of what every application gets from the framework. */
@Module({ controllers: [TrialController], providers: [TrialState], exports: [TrialState] })
export class TrialModule {}
