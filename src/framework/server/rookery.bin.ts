#!/usr/bin/env node
import { runConfigCommand } from './config-command.js';

process.exitCode = await runConfigCommand(process.argv.slice(2), {
  environment: process.env,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
});
