/** A value that its message type has no room for. */
export class EncodeError extends Error {
  /**
   * @param field  full name of the field or oneof that it was meant for; none where the whole is no message of the type
   */
  constructor(
    readonly field: string | undefined,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
