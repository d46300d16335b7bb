import { describe, expect, it } from 'vitest';
import { prometheusText } from './prometheus-text.js';

describe('prometheusText', () => {
  it('writes a family with help, type and a line for each sample', () => {
    const text = prometheusText([
      {
        name: 'rookery_things_total',
        help: 'Things, by "kind".\nAnd more \\ less.',
        type: 'counter',
        samples: [
          { labels: { kind: 'a', by: 'client' }, value: 3 },
          { labels: { kind: 'say "hi"\\\n' }, value: 0.5 },
        ],
      },
      { name: 'rookery_open', help: 'Open.', type: 'gauge', samples: [{ value: 7 }] },
    ]);

    expect(text).toBe(
      [
        '# HELP rookery_things_total Things, by "kind".\\nAnd more \\\\ less.',
        '# TYPE rookery_things_total counter',
        'rookery_things_total{kind="a",by="client"} 3',
        'rookery_things_total{kind="say \\"hi\\"\\\\\\n"} 0.5',
        '# HELP rookery_open Open.',
        '# TYPE rookery_open gauge',
        'rookery_open 7',
        '',
      ].join('\n'),
    );
  });

  it('writes the parts of a histogram by their suffixes, and no number as none', () => {
    const samples = [
      { labels: { le: '+Inf' }, value: 2, suffix: '_bucket' },
      { value: Number.POSITIVE_INFINITY, suffix: '_sum' },
      { value: Number.NaN, suffix: '_count' },
    ] as const;

    expect(
      prometheusText([{ name: 'x_seconds', help: 'X.', type: 'histogram', samples }])
        .split('\n')
        .slice(2),
    ).toEqual(['x_seconds_bucket{le="+Inf"} 2', 'x_seconds_sum +Inf', 'x_seconds_count NaN', '']);
  });
});
