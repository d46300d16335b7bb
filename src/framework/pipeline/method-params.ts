import type { PipeTransform } from '@nestjs/common';
import { type HandlerCall, isThenable } from './handler-call.js';
import { InputPipe } from './input.decorator.js';
import type { HandlerParam, HandlerParts } from './handler-parts.js';
import { StrictValidationPipe } from './validation.pipe.js';

/** Makes the handler's arguments; a promise only where a pipe or a custom decorator gives one. */
export type Arguments = (call: HandlerCall) => unknown[] | Promise<unknown[]>;

interface Param {
  readonly index: number;
  readonly waits: boolean;
  readonly metadata: HandlerParam['metadata'];
  readonly pipes: readonly PipeTransform[];
  readonly extract: (call: HandlerCall) => unknown;
}

// Nest's numbers of the parameters of an RPC, and where they stand among the arguments of its chain.
const rpcArguments: Readonly<Record<string, number>> = { 3: 0, 6: 1, 9: 2 };

// An error that was thrown while other parameters were still to come.
class Failure {
  constructor(readonly error: unknown) {}
}

/** All parameters of a method and their pipes in one function; `undefined` where the handler has none. */
export function composeParams(parts: HandlerParts, handler: object, isRpc: boolean): Arguments | undefined {
  const params = parts.params.map((param) => paramOf(param, handler, isRpc));
  const [first] = params;
  if (first === undefined) return undefined;
  if (params.length === 1 && first.index === 0 && first.pipes.length === 0) return single(first);
  return (call) => resolveAll(params, call, parts.argsLength);
}

function paramOf(param: HandlerParam, handler: object, isRpc: boolean): Param {
  const { index, metadata, isPiped } = param;
  const input = param.ownPipes.find((pipe) => pipe instanceof InputPipe);
  const argument = isRpc && metadata.data === undefined ? rpcArguments[param.type] : undefined;
  // The framework's validation lets pass what `@Input()` takes out, and what is neither a message nor a stream of them.
  const isPassed = input !== undefined || (argument !== undefined && argument > 0);
  const pipes = isPassed ? param.pipes.filter((pipe) => pipe.constructor !== StrictValidationPipe) : param.pipes;
  if (input !== undefined && pipes.length === 1) {
    const extract = input.extractor(handler, metadata, isRpc);
    return { index, metadata, waits: true, pipes: [], extract: (call) => extract(call.argument(0)) };
  }
  if (argument !== undefined)
    return { index, metadata, waits: isPiped, pipes, extract: (call) => call.argument(argument) };
  return { index, metadata, waits: isPiped, pipes, extract: (call) => param.extract(call.args) };
}

function single({ extract, waits }: Param): Arguments {
  return (call) => {
    const value = extract(call);
    return waits && isThenable(value) ? Promise.resolve(value).then((settled) => [settled]) : [value];
  };
}

// The order is Nest's: the first pipe of every parameter, then the second of every parameter, and so on. From the first
// promise, or error, the rest goes on as it does there: each parameter by itself, and the first error counts.
function resolveAll(params: readonly Param[], call: HandlerCall, length: number): unknown[] | Promise<unknown[]> {
  const values: unknown[] = [];
  const taken: number[] = [];
  let isLate = false;
  for (let at = 0; at < params.length; at++) {
    const param = params[at] as Param;
    let value: unknown;
    let count = 0;
    try {
      value = param.extract(call);
      const [pipe] = param.pipes;
      if (pipe !== undefined && !isThenable(value)) {
        count = 1;
        value = pipe.transform(value, { ...param.metadata }) as unknown;
      }
      if (param.waits && isThenable(value)) isLate = true;
    } catch (error) {
      value = new Failure(error);
      isLate = true;
    }
    values.push(value);
    taken.push(count);
  }
  for (let stage = 1; !isLate && params.some(({ pipes }) => pipes.length > stage); stage++) {
    isLate = runStage(params, stage, values, taken);
  }
  return isLate ? resolveLater(params, values, taken, length) : place(params, values, length);
}

function runStage(params: readonly Param[], stage: number, values: unknown[], taken: number[]): boolean {
  let isLate = false;
  for (const [at, { pipes, metadata }] of params.entries()) {
    const pipe = pipes[stage];
    if (pipe === undefined) continue;
    taken[at] = stage + 1;
    try {
      values[at] = pipe.transform(values[at], { ...metadata });
      if (isThenable(values[at])) isLate = true;
    } catch (error) {
      values[at] = new Failure(error);
      isLate = true;
    }
  }
  return isLate;
}

async function resolveLater(
  params: readonly Param[],
  values: readonly unknown[],
  taken: readonly number[],
  length: number,
): Promise<unknown[]> {
  const settled = await Promise.all(params.map((param, at) => resolveOne(param, values[at], taken[at] as number)));
  return place(
    params,
    settled.map(({ value }) => value),
    length,
  );
}

// Of several errors the earliest counts, and what was not extracted fails before what a pipe refuses: the functions below
// are as deep as Nest's, each costing a turn.
async function resolveOne(param: Param, value: unknown, taken: number): Promise<{ readonly value: unknown }> {
  if (value instanceof Failure && taken === 0) throw value.error;
  // Wrapped: a promise that nobody waits for goes to the handler as it is.
  if (!param.waits) return { value };
  return { value: await (param.pipes.length === 0 ? (async () => value)() : pipeValue(param, value, taken)) };
}

async function pipeValue(param: Param, value: unknown, taken: number): Promise<unknown> {
  return applyPipes(param, value, taken);
}

async function applyPipes(param: Param, value: unknown, taken: number): Promise<unknown> {
  return runPipes(param, value, taken);
}

async function runPipes({ pipes, metadata }: Param, value: unknown, taken: number): Promise<unknown> {
  if (value instanceof Failure) throw value.error;
  let result = await value;
  for (const pipe of pipes.slice(taken)) result = (await pipe.transform(result, { ...metadata })) as unknown;
  return result;
}

function place(params: readonly Param[], values: readonly unknown[], length: number): unknown[] {
  const args: unknown[] = [];
  for (let at = 0; at < length; at++) args.push(undefined);
  for (let at = 0; at < params.length; at++) args[(params[at] as Param).index] = values[at];
  return args;
}
