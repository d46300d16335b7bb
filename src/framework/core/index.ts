/**
 * The words that every other module speaks: statuses, errors, the request context, deadlines, live values,
 * the life of the process. Plain TypeScript on Node built-ins; no Nest, no rxjs.
 *
 * @example
 * const rows = await database.query(sql, { signal: currentSignal() });
 * const user = rows[0] ?? raise(new UserNotFoundError(id));
 */
export { httpStatusOf, Status, statusName, statusOfHttp } from './status.js';
export { type ErrorOrigin, type FieldViolation, raise, RookeryError, type RookeryErrorOptions } from './errors.js';
export { type DeadlineEvidence, type Fault, faultOf, faults } from './fault.js';
export {
  CancelledError,
  ClientShareExceededError,
  DeadlineExceededError,
  DrainingError,
  InternalError,
  TooManyBytesBufferedError,
  TooManyRequestsInFlightError,
  TooManyStreamsError,
  TooManyWaitingRequestsError,
  UpstreamFailedError,
  UpstreamUnavailableError,
} from './core.errors.js';
export {
  Deadline,
  type DeadlineWatcher,
  type FireReason,
  noDeadline,
  parseGrpcTimeout,
  parseRequestTimeout,
} from './deadline.js';
export {
  entityTagsOf,
  isPrintable,
  isToken,
  listOf,
  mediaTypeOf,
  type Parameterized,
  parameterized,
  parseHttpDate,
  trimOws,
  weightedListOf,
} from './field-values.js';
export { TimerWheel, WheelEntry } from './timer-wheel.js';
export { newRequestId, type TraceContext, traceFrom, traceparentOf } from './trace.js';
export type { Principal } from './principal.js';
export { AddressRanges, parseAddress, type Peer, plainAddress } from './ip-address.js';
export { callerKey, type CallerKind, callerKinds } from './caller-key.js';
export {
  currentContext,
  currentSignal,
  drainSignal,
  enterContext,
  type Face,
  type Lease,
  RequestContext,
  type RequestContextInit,
  runInContext,
} from './context.js';
export { constant, type Live, type LiveListener, type LiveSubscriber, LiveValue, project } from './live.js';
export { Lifecycle, type Phase } from './lifecycle.js';
export {
  Bound,
  type BoundId,
  boundNames,
  type FullBy,
  Holder,
  PeerUse,
  type ShareLimits,
  Shares,
} from './shares.js';
export { peerGroupOf } from './peer-group.js';
export { type Probe, type ProbeKind, ProbeRegistry } from './probes.js';
export { type Metric, MetricRegistry, type MetricSample, type MetricSource, type MetricType } from './metrics.js';
export { readRegularFile, readRegularFileSync, RegularFileError } from './regular-file.js';
export { HealthSource } from './health-source.js';
export { metadataKeys } from './metadata.js';
export {
  type HandlerTarget,
  onlyOnFace,
  type PreparedCheck,
  type PreparedGuard,
  prepareGuard,
  wordOf,
} from './enhancers.js';
export {
  ConfigPrefix,
  configPrefixes,
  configPrefixOf,
  isKeptOnRollback,
  isSecretOption,
  Moved,
  movedOption,
  KeptOnRollback,
  LocalDefault,
  localDefaultsOf,
  NeedsRestart,
  needsRestart,
  type OptionsClass,
  Secret,
  Spellings,
  spellingsOf,
} from './options.js';
export { isLocalEnvironment } from './environment.js';
export { OperatorAccess, type OperatorScope } from './operator-access.js';
export { type Exposure, ExposureOption, exposures } from './exposure.js';
export {
  type ProbeChange,
  probeChangeChannel,
  type RequestEnd,
  requestEndChannel,
  type RequestFault,
  requestFaultChannel,
  type TypedChannel,
  typedChannel,
} from './core.channels.js';
