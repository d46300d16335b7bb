/** One document of a configuration centre. */
export interface RemoteContent {
  readonly dataId: string;
  readonly group: string;
  /** As the centre states it: `yaml`, `json`, `properties`, `text`; the data id's extension decides where it says nothing. */
  readonly type?: string;
  /** `undefined` for a data id that does not exist (any more); an empty layer then. */
  readonly content: string | undefined;
  /** Of an encrypted one (`cipher-…`): the key of its content, itself encrypted. */
  readonly encryptedDataKey?: string;
}

/** A document as somebody asked for it. */
export interface ConfigDocument {
  readonly content: string;
  /** Of the content as the centre has it, in hexadecimal. */
  readonly md5: string;
  readonly type?: string;
  readonly encryptedDataKey?: string;
}

/** How to write a document. */
export interface ConfigWriteOptions {
  readonly type?: string;
  readonly encryptedDataKey?: string;
  /** Write only where the content still has this md5. */
  readonly casMd5?: string;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** Reading and writing single documents, for tools and tests. */
export interface ConfigAccess {
  /** @returns `undefined` when there is none */
  get(key: ConfigKey, signal?: AbortSignal): Promise<ConfigDocument | undefined>;
  /** @returns the md5 of what was written */
  publish(key: ConfigKey, content: string, options: ConfigWriteOptions): Promise<string>;
  /** One that is not there is no error. */
  remove(key: ConfigKey, signal?: AbortSignal): Promise<void>;
}

/** Which document. */
export interface ConfigKey {
  readonly dataId: string;
  readonly group: string;
}

/** What a driver tells while it watches. */
export interface ConfigDriverEvents {
  /**
   * All data ids of the driver as they are now, in the order of precedence, the weakest first, whichever changed. What
   * changed at the same moment comes in one call, so that it is one version. Contents equal to those
   * read or reported last are not reported again.
   */
  onContents(contents: readonly RemoteContent[]): void;
  /** The centre cannot be reached or refuses; said when it begins and when the reason changes. No secrets in the message. */
  onFailure(error: Error): void;
  /** The centre is there again, also when nothing has changed meanwhile. */
  onRecovery(): void;
}

/** An address that a driver connects to. */
export interface ConfigEndpoint {
  readonly host: string;
  readonly port: number;
}

/** A configuration centre: the port that drivers implement. It reconnects by itself, for as long as it is not closed. */
export interface ConfigDriver {
  /** Source in history, log and readiness, such as `nacos`. */
  readonly name: string;
  /** What snapshots belong to: servers, namespace, groups and data ids. Holds no credentials. */
  readonly namespace: string;
  /** Where it connects to. A start that has a snapshot tries whether anything listens there, and waits for nothing else. */
  readonly endpoints: readonly ConfigEndpoint[];
  /**
   * Reads all data ids, in the order of precedence, the weakest first. Tries until it has them.
   *
   * @throws what is wrong, no later than `signal` aborts
   */
  read(signal: AbortSignal): Promise<readonly RemoteContent[]>;
  /**
   * Tells of changes until `close()`, also of those between `read()` and this call; where `read()` has failed, of the contents
   * as soon as they can be had, even if there are none. Called once.
   */
  watch(events: ConfigDriverEvents): void;
  /** Makes contents ready for use that come from elsewhere, such as from a snapshot. */
  prepare?(contents: readonly RemoteContent[]): Promise<void>;
  /** Single documents, also such as are not watched; not every centre can be written to. */
  readonly access?: ConfigAccess;
  /** Leaves nothing behind, within 1 s. May be called twice, also while `read()` waits. */
  close(): Promise<void>;
}
