import { useState } from 'preact/hooks';
import { facets } from '../state/facets.ts';
import { show, view } from '../state/view.ts';
import { SearchIcon } from '../ui/icons.tsx';
import { Chips } from './chips.tsx';
import { DateRange } from './date-range.tsx';
import { MultiSelect } from './multi-select.tsx';
import { RungFilter } from './rung-filter.tsx';
import { TextFilter } from './text-filter.tsx';

/** Shows all filters of the view. */
export function FilterBar() {
  // On a narrow screen, only the range and the search are visible until the others are expanded.
  const [expanded, setExpanded] = useState(false);
  return (
    <section class="filters" aria-label="Filters" role="search">
      <div class={`filter-fields${expanded ? ' is-expanded' : ''}`}>
        <DateRange />
        <MultiSelect
          filter="modifiers"
          label="Modified by"
          any="Anyone"
          searchLabel="Search modifiers"
          isNarrowed={view.value.rungs.length > 0}
        >
          <RungFilter />
        </MultiSelect>
        <ActingAsFilter />
        <MultiSelect
          filter="actions"
          label="Action category"
          any="Any action"
          searchLabel="Search action categories"
        />
        <MultiSelect
          filter="entityTypes"
          label="Entity type"
          any="Any type"
          searchLabel="Search entity types"
        />
        <TenantFilter />
        <TextFilter filter="entity" label="Entity id" placeholder="Exact id" />
        <TextFilter filter="q" label="Search" placeholder="Name, id or value" icon={<SearchIcon />} />
        <button
          type="button"
          class="bordered filters-more"
          aria-expanded={expanded}
          onClick={() => setExpanded(!expanded)}
        >
          {expanded ? 'Fewer filters' : 'More filters'}
        </button>
      </div>
      <Chips />
    </section>
  );
}

/**
 * The filter for persons in whose names others acted. It is shown only if there are such entries, or if a
 * person is chosen.
 */
function ActingAsFilter() {
  if (view.value.actingAs.length === 0 && (facets.value?.actingAs.length ?? 0) === 0) return null;
  return (
    <MultiSelect filter="actingAs" label="Acting as" any="Anyone" searchLabel="Search people acted as" />
  );
}

/**
 * The tenant filter. It is shown only if there are several tenants, or if one is chosen already. If there are
 * more tenants than a list holds, the reader types one.
 */
function TenantFilter() {
  const chosen = view.value.tenant;
  const tenants = facets.value?.tenants ?? [];
  if ((facets.value?.more.tenants.values ?? 0) > 0)
    return <TextFilter filter="tenant" label="Tenant" placeholder="Exact tenant" />;
  if (chosen === '' && tenants.length < 2) return null;
  const isListed = chosen === '' || tenants.some(({ value }) => value === chosen);
  return (
    <div class="tenant-filter">
      <label class="field-label" for="tenant">
        Tenant
      </label>
      <select id="tenant" value={chosen} onChange={(event) => show({ tenant: event.currentTarget.value })}>
        <option value="">All tenants</option>
        {tenants.map(({ value, name }) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
        {!isListed && <option value={chosen}>{chosen}</option>}
      </select>
    </div>
  );
}
