import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ViewsBody } from '../../src/api/requests.js';
import { Hub, type Tell } from '../../src/web/feed/hub.js';
import type { FollowedView, ToTab } from '../../src/web/feed/messages.js';
import type { StreamOptions } from '../../src/web/feed/stream-connection.js';
import { ApiError } from '../../src/web/http/client.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A stream that was opened. Tests send what its server would send. */
interface Opened {
  readonly options: StreamOptions;
  /** The views that the stream requested. */
  readonly views: readonly Readonly<Record<string, unknown>>[];
  isEnded: boolean;
}

interface TestTab {
  readonly tell: Tell;
  readonly told: ToTab[];
  /** Ids of the entries that the tab received. */
  readonly ids: () => string[];
  readonly state: () => string | undefined;
}

class Ground {
  readonly streams: Opened[] = [];
  readonly hub = new Hub((options) => {
    const { views } = options.body() as { views: Readonly<Record<string, unknown>>[] };
    const opened: Opened = { options, views, isEnded: false };
    this.streams.push(opened);
    return { hurry: () => undefined, end: () => (opened.isEnded = true) };
  });

  get stream(): Opened {
    return this.streams.at(-1)!;
  }

  tab(view: Partial<FollowedView> = {}): TestTab {
    const told: ToTab[] = [];
    const tab: TestTab = {
      tell: (message) => told.push(message),
      told,
      ids: () => told.flatMap((message) => (message.type === 'entry' ? [message.id] : [])),
      state: () => told.flatMap((message) => (message.type === 'state' ? [message.state] : [])).at(-1),
    };
    this.follow(tab, view);
    return tab;
  }

  follow(tab: TestTab, view: Partial<FollowedView> = {}): void {
    this.hub.hear(tab.tell, {
      type: 'follow',
      view: { url: 'http://mock/stream', session: 'dana', filters: {}, after: '100', ...view },
    });
  }

  /** The stream opens, and its server sends the position of each view. */
  open(position = '100'): void {
    jest.advanceTimersByTime(50);
    const { options, views } = this.stream;
    options.onState('open');
    views.forEach((_, view) => this.say(`position.${view}`, position, '{"behindSeconds":0}'));
  }

  say(type: string, id: string, data = '{}'): void {
    this.stream.options.onEvent({ type, id, data });
  }
}

describe('the hub', () => {
  test('opens one stream for tabs that begin together, with one view for each different list', () => {
    const ground = new Ground();
    const first = ground.tab({ filters: { action: ['block'] }, after: '90' });
    const second = ground.tab({ after: '95' });
    const third = ground.tab({ filters: { action: ['block'] }, after: '80' });
    ground.open();
    expect(ground.streams).toHaveLength(1);
    expect(ground.stream.views).toEqual([{ action: ['block'], after: '80' }, { after: '95' }]);
    ground.say('entry.0', '85');
    ground.say('entry.0', '101');
    ground.say('entry.1', '99');
    expect([first.ids(), second.ids(), third.ids()]).toEqual([['101'], [], ['101']]);
    expect(first.state()).toBe('open');
  });

  test('sends each tab of a view only entries that it does not have', () => {
    const ground = new Ground();
    const behind = ground.tab({ after: '80' });
    const ahead = ground.tab({ after: '90' });
    jest.advanceTimersByTime(50);
    ground.stream.options.onState('open');
    for (const id of ['85', '90', '91', '1000']) ground.say('entry.0', id);
    expect(behind.ids()).toEqual(['85', '90', '91', '1000']);
    expect(ahead.ids()).toEqual(['91', '1000']);
  });

  test('adds a tab that misses nothing to the open stream, and opens an earlier one for a tab that misses entries', () => {
    const ground = new Ground();
    const first = ground.tab();
    ground.open();
    ground.say('entry.0', '110');
    ground.say('position.0', '150', '{"behindSeconds":0}');
    const joining = ground.tab({ after: '110' });
    const fresh = ground.tab({ after: null });
    jest.advanceTimersByTime(1_000);
    expect(ground.streams).toHaveLength(1);
    expect([joining.state(), fresh.state()]).toEqual(['open', 'open']);
    const late = ground.tab({ after: '105' });
    jest.advanceTimersByTime(50);
    expect(ground.streams).toHaveLength(2);
    expect(ground.streams[0]!.isEnded).toBe(true);
    expect(ground.stream.views).toEqual([{ after: '105' }]);
    ground.stream.options.onState('open');
    ground.say('entry.0', '110');
    ground.say('entry.0', '160');
    expect([first.ids(), joining.ids(), late.ids()]).toEqual([['110', '160'], ['160'], ['110', '160']]);
    // The tabs that were live got no other state in between.
    expect(first.told.filter(({ type }) => type === 'state').map((m) => JSON.stringify(m))).not.toContain(
      '{"type":"state","state":"reconnecting"}',
    );
  });

  test('begins at the end of the trail for a tab without entries, beside tabs that have some', () => {
    const ground = new Ground();
    ground.tab({ after: '90' });
    ground.tab({ after: null });
    jest.advanceTimersByTime(50);
    expect(ground.stream.views).toEqual([{ after: '90' }, {}]);
  });

  test('ignores a stream that was replaced', () => {
    const ground = new Ground();
    const first = ground.tab();
    ground.open();
    const old = ground.stream;
    ground.tab({ filters: { q: 'x' } });
    jest.advanceTimersByTime(50);
    old.options.onEvent({ type: 'entry.0', id: '120', data: '{}' });
    old.options.onState('reconnecting');
    expect(first.ids()).toEqual([]);
    expect(first.state()).toBe('open');
  });

  test('resumes each view at its own position after the connection breaks', () => {
    const ground = new Ground();
    ground.tab();
    ground.tab({ filters: { q: 'x' } });
    ground.open();
    ground.say('entry.1', '130');
    ground.say('position.0', '140', '{"behindSeconds":0}');
    expect(ground.stream.options.body()).toEqual({ views: [{ after: '140' }, { q: 'x', after: '130' }] });
  });

  test('omits a view that no tab follows any more, and closes the stream with the last tab', () => {
    const ground = new Ground();
    const first = ground.tab();
    const second = ground.tab({ filters: { q: 'x' } });
    ground.open();
    ground.hub.hear(second.tell, { type: 'leave' });
    jest.advanceTimersByTime(4_000);
    expect(ground.streams).toHaveLength(1);
    jest.advanceTimersByTime(2_000);
    expect(ground.stream.views).toEqual([{ after: '100' }]);
    ground.hub.hear(first.tell, { type: 'leave' });
    expect(ground.streams.every(({ isEnded }) => isEnded)).toBe(true);
    jest.advanceTimersByTime(60_000);
    expect(ground.streams).toHaveLength(2);
  });

  test('removes a tab that is silent, and accepts it again when it reports', () => {
    const ground = new Ground();
    const first = ground.tab();
    const silent = ground.tab({ filters: { q: 'x' } });
    ground.open();
    for (let seconds = 0; seconds < 40; seconds += 2) {
      jest.advanceTimersByTime(2_000);
      ground.follow(first);
      ground.hub.sweep();
    }
    expect(ground.stream.views).toEqual([{ after: '100' }]);
    ground.follow(silent, { filters: { q: 'x' }, after: '100' });
    jest.advanceTimersByTime(50);
    expect(ground.stream.views).toHaveLength(2);
  });

  test('keeps its tabs when the clock jumps', () => {
    const ground = new Ground();
    const tab = ground.tab();
    ground.open();
    jest.setSystemTime(Date.now() + 86_400_000);
    ground.hub.sweep();
    expect(ground.stream.isEnded).toBe(false);
    jest.setSystemTime(Date.now() - 2 * 86_400_000);
    jest.advanceTimersByTime(60_000);
    ground.hub.sweep();
    expect(ground.stream.isEnded).toBe(true);
    expect(tab.told).not.toContainEqual({ type: 'superseded' });
  });

  test('refuses the view that the server names, and keeps the others', () => {
    const ground = new Ground();
    const first = ground.tab();
    const second = ground.tab({ filters: { q: 'x' }, after: '1' });
    jest.advanceTimersByTime(50);
    const problem = {
      title: 'Range too long',
      status: 422,
      code: 'RANGE_TOO_LONG',
      errors: [{ path: 'views.1', message: 'is too far behind' }],
    };
    ground.stream.options.onRefused(new ApiError(problem));
    expect(second.told.at(-1)).toEqual({ type: 'refused', problem });
    ground.open();
    expect(ground.stream.views).toEqual([{ after: '100' }]);
    expect(first.state()).toBe('open');
  });

  test('informs all tabs when the session has ended', () => {
    const ground = new Ground();
    const tabs = [ground.tab(), ground.tab({ filters: { q: 'x' } })];
    jest.advanceTimersByTime(50);
    const problem = { title: 'Invalid token', status: 401 };
    ground.stream.options.onRefused(new ApiError(problem));
    for (const { told } of tabs) expect(told.at(-1)).toEqual({ type: 'refused', problem });
    jest.advanceTimersByTime(60_000);
    expect(ground.streams).toHaveLength(1);
  });

  test('serves one signed-in person at a time', () => {
    const ground = new Ground();
    const dana = ground.tab();
    ground.open();
    const guest = ground.tab({ session: 'guest' });
    expect(dana.told.at(-1)).toEqual({ type: 'superseded' });
    expect(ground.stream.isEnded).toBe(true);
    ground.open();
    expect(ground.stream.views).toHaveLength(1);
    ground.say('entry.0', '101');
    expect([dana.ids(), guest.ids()]).toEqual([[], ['101']]);
  });

  test('follows ten lists, tells an eleventh tab that it is not followed, and follows it when there is room', () => {
    const ground = new Ground();
    const tabs = Array.from({ length: 11 }, (_, index) => ground.tab({ filters: { q: String(index) } }));
    ground.open();
    expect(ground.stream.views).toHaveLength(10);
    // The limit equals that of the API.
    const isTaken = (views: readonly object[]): boolean => ViewsBody.safeParse({ views }).success;
    expect([isTaken(ground.stream.views), isTaken([...ground.stream.views, {}])]).toEqual([true, false]);
    expect(tabs.map(({ state }) => state())).toEqual([...Array<string>(10).fill('open'), 'crowded']);
    const twelfth = ground.tab({ filters: { q: 'another' } });
    ground.open();
    expect(tabs.map(({ state }) => state())).toEqual([...Array<string>(10).fill('open'), 'crowded']);
    expect(twelfth.state()).toBe('crowded');

    ground.say('entry.0', '110');
    ground.hub.hear(tabs[3]!.tell, { type: 'leave' });
    ground.open('120');
    expect(ground.stream.views).toHaveLength(10);
    // A waiting list resumes at its own position.
    expect(ground.stream.views.at(-1)).toEqual({ q: '10', after: '100' });
    expect([tabs[10]!.state(), twelfth.state()]).toEqual(['open', 'crowded']);
    // If a waiting tab leaves, nothing changes for the others.
    const { length } = ground.streams;
    ground.hub.hear(twelfth.tell, { type: 'leave' });
    jest.advanceTimersByTime(60_000);
    expect(ground.streams).toHaveLength(length);
  });
});
