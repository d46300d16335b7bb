/**
 * What both engines share that knows neither version of HTTP: who counts waiting bytes, whose turn it is, what time limits
 * look at, and the buffers that are written from.
 */
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
export { type SentBytes, StallWatch } from './stall-watch.js';
export { coarseNow, startTicking, steadyNow, stopTicking, type Ticking } from './ticker.js';
export { atTurnEnd, type TurnEnd } from './turn-end.js';
export type { Waiting } from './peer-queue.js';
export { WorkMeter, WorkScale } from './work-meter.js';
export { giveWriteBuffer, takeWriteBuffer, writeBufferBytes } from './write-buffers.js';
