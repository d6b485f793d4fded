/** One event of `text/event-stream` (HTML Standard, 9.2.6). */
export interface StreamEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Parses the chunks of a `text/event-stream` body into events. A chunk may end anywhere. */
export class EventStreamParser {
  #rest = '';
  #data: string[] = [];
  #type = '';
  #id = '';

  /** Returns the events that the chunk completes. Comments (heartbeats) and unknown fields are skipped. */
  push(chunk: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    const text = this.#rest + chunk;
    // A trailing CR may be the first half of CRLF, so it waits for the next chunk.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line !== '') {
        this.#field(line);
        continue;
      }
      if (this.#data.length > 0)
        events.push({ id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') });
      this.#data = [];
      this.#type = '';
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }
}
