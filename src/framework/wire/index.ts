/** What both engines share that knows neither version of HTTP: who counts waiting bytes, and whose turn it is. */
export { type ByteAccount, CountedBytes, noAccount, takeBytes } from './byte-account.js';
export { type Coding, DecodedTooLargeError, decode } from './coding.js';
export { decompressionTurns } from './decompression-turns.js';
export { Discard } from './discard.js';
export {
  beginConnection,
  beginWork,
  chargeWork,
  endWork,
  heavyTurn,
  inNextTurn,
  isHeavyPeer,
  isTurnOver,
  TurnShare,
  whenDue,
} from './fair-turns.js';
export { readClock, stepClock } from './read-clock.js';
export { atTurnEnd, type TurnEnd } from './turn-end.js';
export type { Waiting } from './peer-queue.js';
export { WorkMeter, WorkScale } from './work-meter.js';
