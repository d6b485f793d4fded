import { Detail } from './detail/detail.tsx';
import { ExportButton } from './exports/export-button.tsx';
import { ExportsPanel } from './exports/exports-panel.tsx';
import { FilterBar } from './filters/filter-bar.tsx';
import { CoverageNote } from './gaps/coverage-note.tsx';
import { GapBanner } from './gaps/gap-banner.tsx';
import { Announcer } from './shell/announcer.tsx';
import { Header } from './shell/header.tsx';
import { Notices } from './shell/notices.tsx';
import { Shortcuts } from './shell/shortcuts.tsx';
import { SignIn } from './shell/sign-in.tsx';
import { sessionState } from './state/session.ts';
import { EntriesTable } from './table/entries-table.tsx';
import { LiveNote } from './table/live-note.tsx';
import { NewEntries, Toolbar } from './table/toolbar.tsx';

/** Shows the whole page: the form to sign in, or the trail. */
export function App() {
  const state = sessionState.value;
  return (
    <>
      {state.is === 'unknown' && (
        <main class="starting" aria-busy="true">
          <h1 class="visually-hidden">Audit trail logs</h1>
          <p class="muted">One moment…</p>
        </main>
      )}
      {state.is === 'signed-out' && <SignIn />}
      {state.is === 'signed-in' && <Trail />}
      <Announcer />
    </>
  );
}

function Trail() {
  return (
    <>
      <a class="skip-link" href="#entries">
        Skip to the entries
      </a>
      <Header />
      <main id="main">
        <Notices />
        <GapBanner />
        <FilterBar />
        <Toolbar>
          <ExportButton />
        </Toolbar>
        <NewEntries />
        <section id="entries" tabIndex={-1} aria-labelledby="entries-title">
          <h2 id="entries-title" class="visually-hidden">
            Entries
          </h2>
          <LiveNote />
          <CoverageNote />
          <EntriesTable />
        </section>
      </main>
      <Detail />
      <ExportsPanel />
      <Shortcuts />
    </>
  );
}
