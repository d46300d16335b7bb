/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; the last one where there are several. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
}

/**
 * Takes the answers of a connection apart that has ended, by the rules for clients (RFC 9112 section 6.3). What is behind
 * the last whole one is `rest`.
 *
 * @param methods  what was asked, in order; GET where nothing is said
 */
export function readAnswers(
  bytes: Uint8Array,
  methods: readonly string[] = [],
): { answers: RawAnswer[]; rest: string } {
  let text = Buffer.from(bytes).toString('latin1');
  const answers: RawAnswer[] = [];
  let asked = 0;
  while (text.includes('\r\n\r\n')) {
    const answer = readAnswer(text, methods[asked] ?? 'GET');
    if (answer === undefined) break;
    answers.push(answer.answer);
    if (answer.answer.status >= 200) asked += 1;
    text = text.slice(answer.end);
  }
  return { answers, rest: text };
}

function readAnswer(text: string, method: string): { answer: RawAnswer; end: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n') + 4;
  const [statusLine = '', ...lines] = text.slice(0, headEnd - 4).split('\r\n');
  const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine) ?? [];
  if (digits === undefined) return undefined;
  const status = Number(digits);
  const headers = fieldsOf(lines);
  const made = (body: string, end: number, trailers = {}): { answer: RawAnswer; end: number } => ({
    answer: { status, headers, body, trailers },
    end,
  });
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return made('', headEnd);
  if (headers['transfer-encoding'] === 'chunked') {
    const chunked = readChunks(text, headEnd);
    return chunked && made(chunked.body, chunked.end, chunked.trailers);
  }
  if (headers['content-length'] === undefined) return made(text.slice(headEnd), text.length);
  const end = headEnd + Number(headers['content-length']);
  return end > text.length ? undefined : made(text.slice(headEnd, end), end);
}

function fieldsOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 2)];
    }),
  );
}

function readChunks(
  text: string,
  start: number,
): { body: string; end: number; trailers: Record<string, string> } | undefined {
  let body = '';
  for (let at = start; ; ) {
    const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at, at + 20));
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] as string, 16);
    at += line[0].length;
    if (size > 0) {
      if (text.slice(at + size, at + size + 2) !== '\r\n') return undefined;
      body += text.slice(at, at + size);
      at += size + 2;
      continue;
    }
    const end = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at) + 2;
    if (end < at) return undefined;
    return {
      body,
      end: end + 2,
      trailers: fieldsOf(
        text
          .slice(at, Math.max(at, end - 2))
          .split('\r\n')
          .filter(Boolean),
      ),
    };
  }
}
