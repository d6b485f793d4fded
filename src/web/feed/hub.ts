import type { Problem } from '../api-types.ts';
import type { ApiError } from '../http/client.ts';
import type { StreamEvent } from './event-stream.ts';
import { isAfter, type ConnectionState, type FollowedView, type FromTab, type ToTab } from './messages.ts';
import type { StreamConnection, StreamOptions } from './stream-connection.ts';

/** Where a tab is told what concerns it. */
export type Tell = (message: ToTab) => void;

interface Tab {
  readonly tell: Tell;
  readonly view: FollowedView;
  /** Filters as text: tabs of equal filters share a view. */
  readonly key: string;
  /** Id up to which the tab has everything; null: it is not known where its view begins. */
  after: string | null;
  heardAt: number;
}

/** One of the views of the connection that is open, or being opened. */
interface OpenView {
  readonly key: string;
  readonly filters: FollowedView['filters'];
  /** Whoever has everything up to here misses nothing by joining; null: nobody may join yet. */
  joinableAfter: string | null;
  readonly tabs: Set<Tab>;
}

/** Tabs that are opened together, or change their filters, make one new connection. */
const TOGETHER_MS = 50;
/** Time after which a view that nobody follows any more is left out. */
const UNUSED_MS = 5_000;
/** A tab that has said nothing for so long is gone: browsers do not tell. */
const GONE_MS = 30_000;
/** Views of one connection, a limit of the API. */
const MAX_VIEWS = 10;

/**
 * Serves the lists of all tabs from one connection: browsers allow six to each server, and seven tabs with
 * one each would wait for each other. Tabs of equal filters share a view of the stream. Whenever the views
 * change, the connection is opened again, and each view resumes where the tab that has least of it stands;
 * a tab is told no entry twice. Lists beyond what one connection may follow wait until another one ends.
 */
export class Hub {
  readonly #open: (options: StreamOptions) => StreamConnection;
  readonly #tabs = new Map<Tell, Tab>();
  #connection: StreamConnection | undefined;
  #views: OpenView[] = [];
  #state: ConnectionState = 'connecting';
  #session = '';
  #planned: { readonly timer: ReturnType<typeof setTimeout>; readonly at: number } | undefined;

  constructor(open: (options: StreamOptions) => StreamConnection) {
    this.#open = open;
  }

  hear(tell: Tell, message: FromTab): void {
    if (message.type === 'follow') this.#follow(tell, message.view);
    else if (message.type === 'leave') this.#leave(tell);
    else this.#connection?.hurry();
  }

  /** Forgets the tabs that were closed without a word. Has to be called every few seconds. */
  sweep(): void {
    for (const { tell, heardAt } of [...this.#tabs.values()])
      if (Date.now() - heardAt > GONE_MS) this.#leave(tell);
  }

  #follow(tell: Tell, view: FollowedView): void {
    if (view.session !== this.#session) this.#changeSession(view.session, tell);
    const key = JSON.stringify(view.filters);
    const known = this.#tabs.get(tell);
    tell({ type: 'here' });
    if (known?.key === key) {
      known.heardAt = Date.now();
      return;
    }
    this.#leave(tell);
    const tab: Tab = { tell, view, key, after: view.after, heardAt: Date.now() };
    this.#tabs.set(tell, tab);
    const open = this.#views.find((other) => other.key === key);
    if (open !== undefined && mayJoin(tab, open)) {
      // A tab without any entry asks for the newest ones when it is told that the feed is open.
      tab.after ??= open.joinableAfter;
      open.tabs.add(tab);
      tell({ type: 'state', state: this.#state });
      return;
    }
    tell({ type: 'state', state: 'connecting' });
    this.#planWithin(TOGETHER_MS);
  }

  #leave(tell: Tell): void {
    const tab = this.#tabs.get(tell);
    if (tab === undefined) return;
    this.#tabs.delete(tell);
    for (const view of this.#views) view.tabs.delete(tab);
    if (this.#tabs.size === 0) this.#close();
    else if (this.#views.some(({ tabs }) => tabs.size === 0))
      this.#planWithin(this.#waiting().length > 0 ? TOGETHER_MS : UNUSED_MS);
  }

  /** The cookie is of somebody else now, so what the other tabs show is not theirs any more. */
  #changeSession(session: string, by: Tell): void {
    const others = [...this.#tabs.keys()].filter((tell) => tell !== by);
    this.#tabs.clear();
    this.#close();
    this.#session = session;
    for (const tell of others) tell({ type: 'superseded' });
  }

  #close(): void {
    clearTimeout(this.#planned?.timer);
    this.#planned = undefined;
    this.#connection?.end();
    this.#connection = undefined;
    this.#views = [];
  }

  /** Plans to connect again, unless it is planned for sooner. */
  #planWithin(ms: number): void {
    const at = Date.now() + ms;
    if (this.#planned !== undefined && this.#planned.at <= at) return;
    clearTimeout(this.#planned?.timer);
    this.#planned = { at, timer: setTimeout(() => this.#connect(), ms) };
  }

  #connect(): void {
    this.#close();
    const views = viewsOf([...this.#tabs.values()]);
    // Those that came first, so that who is live stays so.
    this.#views = views.slice(0, MAX_VIEWS);
    for (const { tell } of this.#waiting()) tell({ type: 'state', state: 'crowded' });
    const [first] = this.#tabs.values();
    if (first === undefined) return;
    const isCurrent = (): boolean => this.#views === current;
    const current = this.#views;
    this.#connection = this.#open({
      url: first.view.url,
      body: () => ({
        views: current.map(({ filters, tabs }) => {
          const after = leastOf(tabs);
          return { ...filters, ...(after === null ? {} : { after }) };
        }),
      }),
      onState: (state) => isCurrent() && this.#changeState(state),
      onEvent: (event) => isCurrent() && this.#deliver(event),
      onRefused: (error) => isCurrent() && this.#refused(error),
    });
  }

  /** Tabs whose list is in no view of the connection. */
  #waiting(): Tab[] {
    return [...this.#tabs.values()].filter((tab) => !this.#views.some(({ tabs }) => tabs.has(tab)));
  }

  #changeState(state: ConnectionState): void {
    this.#state = state;
    // While the views change, those who were live before stay so: it takes a moment, and nothing is missed.
    if (state === 'connecting') return;
    for (const { tabs } of this.#views) for (const { tell } of tabs) tell({ type: 'state', state });
  }

  #deliver({ type, id, data }: StreamEvent): void {
    const [kind, number] = type.split('.');
    const view = this.#views[Number(number)];
    if (view === undefined) return;
    if (kind === 'entry') {
      view.joinableAfter = id;
      for (const tab of view.tabs) {
        if (tab.after !== null && !isAfter(id, tab.after)) continue;
        tab.after = id;
        tab.tell({ type: 'entry', id, json: data });
      }
    } else if (kind === 'position') {
      view.joinableAfter ??= id;
      const { behindSeconds } = JSON.parse(data) as { behindSeconds: number };
      for (const tab of view.tabs) {
        if (tab.after === null || isAfter(id, tab.after)) tab.after = id;
        tab.tell({ type: 'position', id, behindSeconds });
      }
    }
  }

  /** If the server says which view it refuses, the others are opened again without it. */
  #refused({ problem }: ApiError): void {
    const views = this.#views;
    const named = (problem.errors ?? []).map(({ path }) => /^views\.(\d+)/.exec(path)?.[1]);
    const wrong = views.filter((_, index) => named.includes(String(index)));
    this.#close();
    for (const { tabs } of wrong.length === 0 ? views : wrong)
      for (const tab of [...tabs]) this.#refuse(tab, problem);
    if (this.#tabs.size > 0) this.#planWithin(0);
  }

  #refuse(tab: Tab, problem: Problem): void {
    this.#tabs.delete(tab.tell);
    for (const view of this.#views) view.tabs.delete(tab);
    tab.tell({ type: 'refused', problem });
  }
}

/** Groups tabs by their filters. Those of which it is not known where they begin have a view of their own. */
function viewsOf(tabs: readonly Tab[]): OpenView[] {
  const views = new Map<string, OpenView>();
  for (const tab of tabs) {
    const key = `${tab.key}${tab.after === null ? ' from now on' : ''}`;
    const view = views.get(key);
    if (view !== undefined) view.tabs.add(tab);
    else
      views.set(key, { key: tab.key, filters: tab.view.filters, joinableAfter: null, tabs: new Set([tab]) });
  }
  for (const view of views.values()) view.joinableAfter = leastOf(view.tabs);
  return [...views.values()];
}

/** Whether a tab misses nothing by joining a view: what the view has delivered, it has as well. */
function mayJoin({ after }: Tab, { joinableAfter }: OpenView): boolean {
  return joinableAfter !== null && (after === null || !isAfter(joinableAfter, after));
}

/** Returns the place of the tab that has least; null: of one of them it is not known. */
function leastOf(tabs: ReadonlySet<Tab>): string | null {
  let least: string | undefined;
  for (const { after } of tabs) {
    if (after === null) return null;
    if (least === undefined || isAfter(least, after)) least = after;
  }
  return least ?? null;
}
