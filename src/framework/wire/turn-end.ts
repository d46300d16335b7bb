/** Something that gathers output while the event loop works through what has arrived. */
export interface TurnEnd {
  /** Never throws. */
  onTurnEnd(): void;
}

let waiting: TurnEnd[] = [];
let spare: TurnEnd[] = [];
let last: TurnEnd | undefined;
let scheduled: NodeJS.Immediate | undefined;

// An exception of one task is reported like any uncaught one; the other tasks are called all the same.
function end(task: TurnEnd): void {
  try {
    task.onTurnEnd();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function run(): void {
  scheduled = undefined;
  const due = waiting;
  const closing = last;
  waiting = spare;
  last = undefined;
  for (const each of due) end(each);
  due.length = 0;
  spare = due;
  if (closing !== undefined) end(closing);
}

function schedule(): void {
  scheduled ??= setImmediate(run);
}

/** Has the turn end now. */
export function endTurnNow(): void {
  if (scheduled === undefined) return;
  clearImmediate(scheduled);
  run();
}

/**
 * Calls `onTurnEnd` once all sockets that were readable have been read and what their callers' promises led to has run.
 *
 * One immediate serves all connections: it runs right after the poll phase, where a microtask would run before handlers that await twice.
 */
export function atTurnEnd(task: TurnEnd): void {
  waiting.push(task);
  schedule();
}

/** The same, after all others: for the one who begins what has waited. */
export function afterTurnEnd(task: TurnEnd): void {
  last = task;
  schedule();
}
