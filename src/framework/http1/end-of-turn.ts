/** Something that gathers output while the event loop works through what has arrived. */
export interface TurnEnd {
  /** Never throws. */
  onTurnEnd(): void;
}

let waiting: TurnEnd[] = [];
let spare: TurnEnd[] = [];
let isScheduled = false;

function run(): void {
  isScheduled = false;
  const due = waiting;
  waiting = spare;
  for (const each of due) each.onTurnEnd();
  due.length = 0;
  spare = due;
}

/**
 * Calls `onTurnEnd` once all sockets that were readable have been read and what their callers' promises led to has run.
 *
 * One immediate serves all connections: it runs right after the poll phase, where a microtask would run before handlers that await twice.
 */
export function atTurnEnd(task: TurnEnd): void {
  waiting.push(task);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(run);
}
