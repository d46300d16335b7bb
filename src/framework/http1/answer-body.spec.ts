import { describe, expect, it } from 'vitest';
import { noAccount } from '../wire/index.js';
import { AnswerBody } from './answer-body.js';
import { answerHead, Opening } from './answer-head.js';
import type { Writer } from './writer.js';

// As one whose socket takes no more.
const writer = { isBlocked: true, waitingBytes: 0, bytes: () => false, text: () => {} } as unknown as Writer;
const head = answerHead([{ name: ':status', value: '200' }], Opening.final);

describe('AnswerBody', () => {
  it.each([
    [true, false, 300_000],
    [false, undefined, 0],
  ])('keeps what the socket does not take, where there is room for it: %s', (tryCharge, outcome, charged) => {
    let bytes = 0;
    const account = {
      ...noAccount,
      tryCharge: (more: number): boolean => {
        if (tryCharge) bytes += more;
        return tryCharge;
      },
    };
    const body = new AnswerBody(writer, account);
    body.begin(head, false, 1, false);

    expect([body.send(Buffer.alloc(300_000)), body.isQueued, bytes]).toEqual([outcome, tryCharge, charged]);
  });
});
