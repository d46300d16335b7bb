/** What a peer was cut off for: RFC 9113 section 10.5. */
export type Http2Abuse =
  | 'reset'
  | 'settings'
  | 'ping'
  | 'windowUpdate'
  | 'priority'
  | 'emptyData'
  | 'padding'
  | 'unknownFrame'
  | 'continuation'
  | 'headerTimeout'
  | 'handshakeTimeout'
  | 'settingsTimeout'
  | 'keepaliveTimeout'
  | 'sendStall';

/** Counts of one connection, or of all that share the object; they only grow. */
export class Http2Counters {
  streamsOpened = 0;
  /** Beyond `maxConcurrentStreams`. */
  streamsRefused = 0;
  /** RST_STREAM received for streams that were not over. */
  streamsResetByPeer = 0;
  /** RST_STREAM sent, for whatever reason. */
  streamsResetByUs = 0;
  requestsMalformed = 0;
  headerListsTooLarge = 0;
  /** Header or trailer fields of ours that are more than the peer reads. */
  answerFieldsTooLarge = 0;
  connectionErrors = 0;
  settings = 0;
  pings = 0;
  windowUpdates = 0;
  priorities = 0;
  emptyData = 0;
  paddings = 0;
  unknownFrames = 0;
  idleTimeouts = 0;
  agedOut = 0;
  /** Streams reset because no memory was left for what they had sent. */
  streamsOverBudget = 0;
  /** Streams given up because the peer took nothing. */
  streamsStalled = 0;
  /** Connections cut, by what for. */
  readonly cut: Record<Http2Abuse, number> = {
    reset: 0,
    settings: 0,
    ping: 0,
    windowUpdate: 0,
    priority: 0,
    emptyData: 0,
    padding: 0,
    unknownFrame: 0,
    continuation: 0,
    headerTimeout: 0,
    handshakeTimeout: 0,
    settingsTimeout: 0,
    keepaliveTimeout: 0,
    sendStall: 0,
  };
}
