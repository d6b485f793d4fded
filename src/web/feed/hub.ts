import type { Problem } from '../api-types.ts';
import type { ApiError } from '../http/client.ts';
import type { StreamEvent } from './event-stream.ts';
import { isAfter, type ConnectionState, type FollowedView, type FromTab, type ToTab } from './messages.ts';
import type { StreamConnection, StreamOptions } from './stream-connection.ts';

/** Sends a message to a tab. */
export type Tell = (message: ToTab) => void;

interface Tab {
  readonly tell: Tell;
  readonly view: FollowedView;
  /** Filters as text. Tabs with equal filters share a view. */
  readonly key: string;
  /** Id up to which the tab has everything. Null: it is not known where its view begins. */
  after: string | null;
  heardAt: number;
}

/** One of the views of the current connection. */
interface OpenView {
  readonly key: string;
  readonly filters: FollowedView['filters'];
  /** A tab that has everything up to this id misses nothing if it joins. Null: no tab may join yet. */
  joinableAfter: string | null;
  readonly tabs: Set<Tab>;
}

/** Delay before a new connection. Tabs that are opened or change their filters within it share that one. */
const TOGETHER_MS = 50;
/** Time after which a view is left out that no tab follows any more. */
const UNUSED_MS = 5_000;
/** A tab without a message for this long counts as closed. Browsers do not report that a tab was closed. */
const GONE_MS = 30_000;
/** Maximum number of views of one connection, a limit of the API. */
const MAX_VIEWS = 10;

/**
 * Serves the lists of all tabs from one connection. Browsers allow six connections to a server, so seven tabs
 * with their own ones would block each other. Tabs with equal filters share a view of the stream. When the
 * views change, the connection is opened again. Each view then resumes at the earliest position of its tabs,
 * and no tab gets an entry twice. Lists beyond the limit of a connection wait until another list ends.
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

  /** Removes tabs that were closed without a message. Must be called every few seconds. */
  sweep(): void {
    for (const { tell, heardAt } of [...this.#tabs.values()])
      if (performance.now() - heardAt > GONE_MS) this.#leave(tell);
  }

  #follow(tell: Tell, view: FollowedView): void {
    if (view.session !== this.#session) this.#changeSession(view.session, tell);
    const key = JSON.stringify(view.filters);
    const known = this.#tabs.get(tell);
    tell({ type: 'here' });
    if (known?.key === key) {
      known.heardAt = performance.now();
      return;
    }
    this.#leave(tell);
    const tab: Tab = { tell, view, key, after: view.after, heardAt: performance.now() };
    this.#tabs.set(tell, tab);
    const open = this.#views.find((other) => other.key === key);
    if (open !== undefined && mayJoin(tab, open)) {
      // A tab without any entry requests the newest ones when it learns that the feed is open.
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

  /**
   * Informs the other tabs that the cookie belongs to another person. They must no longer show their lists.
   */
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

  /** Plans a new connection, unless one is planned earlier. */
  #planWithin(ms: number): void {
    const at = performance.now() + ms;
    if (this.#planned !== undefined && this.#planned.at <= at) return;
    clearTimeout(this.#planned?.timer);
    this.#planned = { at, timer: setTimeout(() => this.#connect(), ms) };
  }

  #connect(): void {
    this.#close();
    const views = viewsOf([...this.#tabs.values()]);
    // The oldest views are kept, so that lists that are live stay live.
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
    // While the views change, lists that were live are still shown as live: it takes a moment, and nothing is
    // missed.
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

  /**
   * Handles a refusal. If the server names the view that it refuses, the others are opened again without it.
   */
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

/** Groups tabs by their filters into views. Tabs whose beginning is not known yet get separate views. */
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

/** Whether a tab may join a view: it has everything that the view has delivered. */
function mayJoin({ after }: Tab, { joinableAfter }: OpenView): boolean {
  return joinableAfter !== null && (after === null || !isAfter(joinableAfter, after));
}

/** Returns the earliest position of the tabs. Null: one position is not known. */
function leastOf(tabs: ReadonlySet<Tab>): string | null {
  let least: string | undefined;
  for (const { after } of tabs) {
    if (after === null) return null;
    if (least === undefined || isAfter(least, after)) least = after;
  }
  return least ?? null;
}
