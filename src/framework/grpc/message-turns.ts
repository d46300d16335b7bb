import { setImmediate as afterTurn } from 'node:timers/promises';

// Handlers take messages in microtasks, and thousands of small ones may lie in one frame: other connections wait for no
// more than some tenths of a millisecond.
const mostInTurn = 256;

let taken = 0;
let isCounting = false;

function count(): number {
  if (!isCounting) {
    isCounting = true;
    setImmediate(() => {
      isCounting = false;
      taken = 0;
    });
  }
  return (taken += 1);
}

/**
 * Counts a message that a handler takes from a stream, of all calls together.
 *
 * @returns what to wait for before it is given, where enough have been taken in this turn of the event loop
 */
export function messageTurn(): Promise<void> | undefined {
  return count() <= mostInTurn ? undefined : afterTurn();
}
