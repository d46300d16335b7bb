import { Injectable } from '@nestjs/common';

/** What tests look at afterwards. */
@Injectable()
export class CompatLog {
  readonly notes: string[] = [];
  /** Instances of the request-scoped provider. */
  instances = 0;

  note(text: string): void {
    this.notes.push(text);
  }
}
