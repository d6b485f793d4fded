/** One event of a stream, as the HTML standard parses it. */
export interface ReceivedEvent {
  readonly id?: string;
  readonly data?: string;
  /** Its name; absent for a plain message. */
  readonly event?: string;
}

export interface EventReader extends AsyncDisposable {
  readonly response: Response;
  /** Returns the next event with data, except positions. Rejects if none comes in time or the stream ends. */
  next(limitMs?: number): Promise<ReceivedEvent>;
  /** Id of the last event, with or without data. */
  readonly lastId: string | undefined;
  /** Data of the events that report a position. */
  readonly positions: readonly string[];
  /** Resolves when the server has ended the stream. */
  ended(limitMs?: number): Promise<void>;
}

/** Reads server-sent events over fetch, as the page does; with a body it is a POST. */
export async function readEvents(
  url: string,
  headers: Readonly<Record<string, string>>,
  body?: unknown,
): Promise<EventReader> {
  const abort = new AbortController();
  const response = await fetch(url, {
    ...(body === undefined
      ? { headers }
      : {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
    signal: abort.signal,
  });
  const events: ReceivedEvent[] = [];
  const positions: string[] = [];
  let wake: () => void = () => undefined;
  let ended = false;
  let lastId: string | undefined;
  const pump = (async () => {
    let buffer = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      buffer += chunk;
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        const event = parse(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        lastId = event.id ?? lastId;
        if (event.event?.startsWith('position') === true) positions.push(event.data!);
        else if (event.data !== undefined) events.push(event);
        wake();
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      ended = true;
      wake();
    });
  const waitFor = async (condition: () => boolean, limitMs: number, what: string): Promise<void> => {
    const deadline = Date.now() + limitMs;
    while (!condition()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${what} did not come within ${limitMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return {
    response,
    positions,
    get lastId() {
      return lastId;
    },
    next: async (limitMs = 30_000) => {
      await waitFor(() => events.length > 0 || ended, limitMs, 'an event');
      const event = events.shift();
      if (event === undefined) throw new Error('the stream ended');
      return event;
    },
    ended: (limitMs = 30_000) => waitFor(() => ended, limitMs, 'the end of the stream'),
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await pump;
    },
  };
}

function parse(block: string): ReceivedEvent {
  const fields = block.split('\n').map((line) => /^(id|data|event): ?(.*)$/.exec(line));
  const find = (name: string): string | undefined => fields.find((field) => field?.[1] === name)?.[2];
  const [id, data, event] = [find('id'), find('data'), find('event')];
  return {
    ...(id === undefined ? {} : { id }),
    ...(data === undefined ? {} : { data }),
    ...(event === undefined ? {} : { event }),
  };
}
