/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Path of the value, such as `server.port`; empty when the source as a whole is wrong. */
  readonly path: string;
  /** What is wrong, ready to print: never a secret value. */
  readonly message: string;
  /** The same without the value, secret or not; where it is missing, the message has none. */
  readonly masked?: string;
  /** Where the value came from: `config/application.yaml:3` or the name of an environment variable. */
  readonly source: string | undefined;
}

/**
 * The configuration is not usable; nothing of it was applied. At start the process prints the message and exits with 1,
 * while running the last good configuration stays. The message has one line per problem.
 */
export class ConfigError extends Error {
  /** How a process ends that could not start because of it. */
  readonly exitCode = 1;

  constructor(readonly problems: readonly ConfigProblem[]) {
    super(['the configuration is not valid:', ...problems.map((problem) => `  ${problem.message}`)].join('\n'));
    this.name = 'ConfigError';
  }

  /** An error about one source as a whole, or one place in it. */
  static of(source: string, message: string): ConfigError {
    return new ConfigError([{ path: '', message: `${source}: ${message}`, source }]);
  }

  /** The same, where what has no place of its own, such as a value that is missing, is told with the change that brought it. */
  during(change: string | undefined): ConfigError {
    if (change === undefined || this.problems.every(({ message }) => hasPlace(message, change))) return this;
    const placed = ({ path, message, source }: ConfigProblem): ConfigProblem => ({
      path,
      message: hasPlace(message, change) ? message : `${message} (change of ${change})`,
      source,
    });
    return new ConfigError(this.problems.map(placed));
  }
}

function hasPlace(message: string, change: string): boolean {
  return change.split(', ').some((each) => message.includes(each));
}
