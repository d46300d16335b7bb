/** Fields that may not be sent as they are: RFC 9110 section 5. Nothing of them has been sent. */
export class Http1HeaderError extends TypeError {
  override readonly name = 'Http1HeaderError';
}

/** An option of the connection is outside its range. */
export class Http1OptionError extends RangeError {
  override readonly name = 'Http1OptionError';
}
