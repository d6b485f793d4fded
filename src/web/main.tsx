import { render } from 'preact';
import { App } from './app.tsx';
import { followExports } from './exports/exports.ts';
import { followFacets } from './filters/facets.ts';
import { beginSession } from './session/session.ts';
import { followKeys } from './shell/shortcuts.tsx';
import './styles/index.css';
import { followQuestion } from './table/entries.ts';
import { followList } from './table/live.ts';
import { followHistory } from './view.ts';

render(<App />, document.getElementById('app')!);
followHistory();
followKeys();
followList();
followQuestion();
followFacets();
followExports();
void beginSession();
