/** What a user may be. */
export const userRoles = ['developer', 'operator', 'viewer'] as const;

/** What may be told of a user by others. */
export interface UserFields {
  readonly displayName: string;
  readonly email: string;
  readonly role: string;
  /** In years; `undefined` when not told. */
  readonly age: number | undefined;
}

/** A user as stored. */
export interface StoredUser extends UserFields {
  /** A positive int64 in decimal digits. */
  readonly id: string;
  readonly createdAtMs: number;
}

/** The form in which emails are compared. */
export function emailKeyOf(email: string): string {
  return email.normalize('NFC').toLowerCase();
}
