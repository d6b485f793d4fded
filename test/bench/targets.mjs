/**
 * Targets of the benches: what each figure must reach and what it aims at, on two cores and with the stated
 * load.
 */

const MILLION = 1_000_000;
const FULL = { changes: MILLION };
const WEEK = { entries: 10 * MILLION };
const DOCUMENTS = { toast: 60_000 };
const ROWS_OF_SHEET = { entries: MILLION };

/**
 * Targets by bench. `atLeast` or `atMost` are [must, aim]. `size` are the smallest options for which the
 * target is meant. `of` finds the figure in a bench's rows. If a figure counts only under a condition, `only`
 * tests it, and `otherwise` says what a failure means.
 */
const TARGETS = {
  capture: [
    {
      figure: 'small transactions: speed / pg_recvlogical',
      atLeast: [1.2, 1.6],
      size: FULL,
      of: cell('load, reader', 'small, Waltrail', 'speed / pg_recvlogical'),
    },
    {
      figure: 'one transaction: speed / pg_recvlogical',
      atLeast: [1.0, 1.3],
      size: FULL,
      of: cell('load, reader', 'one, Waltrail', 'speed / pg_recvlogical'),
    },
    {
      figure: 'small transactions: speed / fastest peer',
      atLeast: [0.85, 1.0],
      size: FULL,
      of: cell('load, reader', 'small, Waltrail', 'speed / fastest peer'),
    },
    {
      figure: 'one transaction: speed / fastest peer',
      atLeast: [0.85, 1.0],
      size: FULL,
      of: cell('load, reader', 'one, Waltrail', 'speed / fastest peer'),
    },
    {
      figure: 'small transactions: bytes/entry, with all indexes',
      atMost: [420, 330],
      size: FULL,
      of: cell('load, reader', 'small, Waltrail', 'bytes/entry'),
    },
  ],
  memory: [
    ...['backlog of small transactions', 'one transaction'].map((load) => peakRss(load, FULL)),
    ...[
      '10 kB values, small transactions',
      '10 kB values, one transaction',
      '10 kB values, compressible, small transactions',
      '10 kB values, compressible, one transaction',
    ].map((load) => peakRss(load, DOCUMENTS)),
  ],
  attribution: [
    {
      figure: 'wrong names, at most',
      atMost: [0, 0],
      size: { changes: 1_000 },
      of: greatest('schema, YAML', /./, 'wrong'),
    },
    {
      figure: '% named where the application writes an audit row, at least',
      atLeast: [95, 99],
      size: { changes: 1_000 },
      of: least('schema, YAML', /init/, 'of audited %'),
    },
    {
      figure: '% named where the application sets a setting, at least',
      atLeast: [95, 99],
      size: { changes: 1_000 },
      of: least('schema, YAML', /sets .* init/, 'named %'),
    },
  ],
  session: [
    {
      figure: 'trigger of session: transactions kept',
      atLeast: [0.95, 0.98],
      size: { seconds: 20 },
      of: cell('session', 'trigger of session', 'kept'),
    },
  ],
  decode: [
    {
      figure: "CPU of the peer's parser with a JSON diff / Waltrail's",
      atLeast: [15, 20],
      size: { changes: 300_000 },
      of: cell('how', 'pg-logical-replication, parser and JSON diff', 'CPU / Waltrail'),
    },
  ],
  latency: [
    {
      figure: 'p99 ms at 10 transactions/s',
      atMost: [15, 8],
      size: { seconds: 15 },
      of: cell('load', '10 transactions/s', 'p99 ms'),
    },
    {
      figure: 'p99 ms at 5,000 changes/s',
      atMost: [50, 30],
      size: { seconds: 15 },
      of: cell('load', '5,000 changes/s', 'p99 ms'),
      only: {
        of: cell('load', '5,000 changes/s', 'transactions/s'),
        atLeast: 1_600,
        otherwise: 'the source was slower than that',
      },
    },
  ],
  writer: [
    {
      figure: "writer's throughput kept with Waltrail",
      atLeast: [0.7, 0.8],
      size: { seconds: 20 },
      of: cell('audit', 'Waltrail', 'kept'),
      only: {
        of: cell('audit', 'Waltrail', 'stored at the end %'),
        atLeast: 95,
        otherwise: 'the trail fell behind',
      },
    },
  ],
  pages: [
    {
      figure: 'p99 ms of the slowest first page of a filter or a pair',
      atMost: [25, 15],
      size: WEEK,
      of: greatest('what', /^first page: (modifier|type|action|entity|tenant)( \+ \w+)?$/, 'p99 ms'),
    },
    {
      figure: 'p99 ms of an action that matches nothing',
      atMost: [50, 25],
      size: WEEK,
      of: cell('what', 'first page: absent action', 'p99 ms'),
    },
    {
      figure: 'p99 ms of facets of 7 days, for actions and types',
      atMost: [20, 5],
      size: WEEK,
      of: cell('what', 'counts of 7 days: actions and types', 'p99 ms'),
    },
    {
      figure: 'p99 ms of facets of 7 days, for modifiers',
      atMost: [120, 30],
      size: WEEK,
      of: cell('what', 'counts of 7 days: modifiers', 'p99 ms'),
    },
  ],
  export: [
    faster('exceljs, documented', [5, 7]),
    faster('exceljs, tuned', [3, 4]),
    faster('libxlsxwriter, level 1', [2.5, 3]),
    faster('libxlsxwriter', [1.5, 2]),
    ...['csv', 'ndjson'].map((format) => ({
      figure: `time of the writer of ${format} / time of that of xlsx`,
      atMost: [0.5, 0.4],
      size: ROWS_OF_SHEET,
      of: cell('writer', `Waltrail's writer, ${format}`, "time / writer's xlsx"),
    })),
    {
      figure: 'peak RSS MB of the process that makes a file',
      atMost: [200, 160],
      size: ROWS_OF_SHEET,
      of: greatest('writer', /^Waltrail, /, 'peak RSS MB'),
    },
    {
      figure: 'p99 ms of a page meanwhile',
      atMost: [50, 30],
      size: ROWS_OF_SHEET,
      of: greatest('writer', /^Waltrail, /, 'page p99 ms'),
    },
  ],
  opened: ['openpyxl', 'LibreOffice'].map((reader) => ({
    figure: `wrong cells for ${reader}`,
    atMost: [0, 0],
    size: { entries: 3 * MILLION },
    of: cell('reader', reader, 'wrong cells'),
  })),
  verify: [
    {
      figure: 'seconds for the whole trail',
      atMost: [60, 30],
      size: WEEK,
      of: cell('what', 'verify --quick', 'seconds'),
    },
  ],
  misuse: [
    {
      figure: "p99 ms of an admin's page while one token misuses the API",
      atMost: [300, 150],
      size: { entries: MILLION, seconds: 30 },
      of: cell('load', 'misused', 'page p99 ms'),
    },
    {
      figure: 'ms until the live view of an admin has an entry, at most',
      atMost: [2_000, 1_000],
      size: { entries: MILLION, seconds: 30 },
      of: cell('load', 'misused', 'live max ms'),
    },
  ],
};

/** Returns rows for the table and the result of a bench; none if it has no targets. */
export function judge(bench, { rows, options }) {
  return (TARGETS[bench] ?? []).map(({ figure, atLeast, atMost, size, of, only }) => {
    const [must, aim] = atLeast ?? atMost;
    const measured = of(rows);
    const reaches = (limit) => (atLeast === undefined ? measured <= limit : measured >= limit);
    const isWorthless = only !== undefined && only.of(rows) < only.atLeast;
    const isSmall = Object.entries(size).some(([option, least]) => options[option] < least);
    const sign = atLeast === undefined ? '<=' : '>=';
    let reached = reaches(aim) ? 'aim' : reaches(must) ? 'must' : 'missed';
    if (measured === null) reached = 'not measured';
    else if (isWorthless) reached = 'does not count';
    return {
      target: figure,
      measured,
      must: `${sign} ${must}`,
      aim: `${sign} ${aim}`,
      reached,
      remark: isWorthless ? only.otherwise : isSmall ? `smaller than ${JSON.stringify(size)}` : null,
    };
  });
}

function faster(writer, atLeast) {
  return {
    figure: `time of ${writer} / time of Waltrail's writer`,
    atLeast,
    size: ROWS_OF_SHEET,
    of: cell('writer', writer, "time / writer's xlsx"),
  };
}

function peakRss(load, size) {
  return { figure: `${load}: peak RSS MB`, atMost: [128, 100], size, of: cell('load', load, 'peak RSS MB') };
}

function cell(head, name, column) {
  return greatestOf((row) => row[head] === name, column);
}

function greatest(head, pattern, column) {
  return greatestOf((row) => pattern.test(row[head]), column);
}

function least(head, pattern, column) {
  return figureOf((row) => pattern.test(row[head]), column, Math.min);
}

function greatestOf(isMeant, column) {
  return figureOf(isMeant, column, Math.max);
}

/** Null if no row has the figure, because it was not measured. */
function figureOf(isMeant, column, choose) {
  return (rows) => {
    const figures = rows
      .filter(isMeant)
      .map((row) => row[column])
      .filter((figure) => figure != null);
    return figures.length === 0 ? null : choose(...figures);
  };
}
