// Who is learning what: every instance, its codebases, and how far it is with what the others know.
import { url } from "../api.js";
import { Badge, Tags } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Empty } from "../components/empty.js";
import { Search, Segments } from "../components/filters.js";
import { Pager, RowLink, Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { compact, count, many, percent } from "../format.js";
import { html } from "../html.js";

const STATES = [["", "All"], ["online", "Online"], ["suspect,inactive", "Silent"], ["offline", "Offline"]];

/** The languages of an instance, those with most files first. */
export const languagesOf = ({ languages }) =>
  Object.entries(languages ?? {})
    .sort(([, one], [, other]) => other - one)
    .map(([language]) => language);

/** Whether the word of an instance counts. */
export function Trust({ of }) {
  if (of.quarantined) return html`<span title=${of.reason}><${Badge} as="bad">quarantine<//></span>`;
  if (of.trust === 0) return html`<span title=${of.reason}><${Badge} as="bad">set aside<//></span>`;
  if (of.trust < 1) return html`<span title=${of.reason}><${Badge} as="warn">${percent(of.trust)}<//></span>`;
  return html`<${Badge} as="good">full<//>`;
}

/** How far an instance is with the insights. */
export const Insighted = ({ of }) =>
  of.insight_lag
    ? html`<${Badge} as="warn">${compact(of.insight_lag)} behind<//>`
    : html`<${Badge} as="good">up to date<//>`;

const COLUMNS = [
  { label: "Instance", cell: (one) => html`<${RowLink} page="instances" id=${one.instance_id}>${one.instance_id}<//>` },
  { label: "Status", kind: "fit", cell: (one) => html`<${Badge} state=${one.status} />` },
  { label: "Learning", cell: (one) => (one.languages ? html`<${Tags} words=${languagesOf(one)} />` : html`<span class="faint">nothing reported yet</span>`) },
  { label: "Codebases", kind: "number", cell: (one) => count(one.codebases) },
  { label: "Patterns", kind: "number", cell: (one) => compact(one.patterns) },
  { label: "Said", kind: "number", cell: (one) => html`<span title=${`${count(one.confirmed)} of ${count(one.learned)} events are here`}>${compact(one.learned)}${one.lag ? html` <span class="faint">(${compact(one.lag)} on the way)</span>` : ""}</span>` },
  { label: "Insights", kind: "fit", cell: (one) => html`<${Insighted} of=${one} />` },
  { label: "Trust", kind: "fit", cell: (one) => html`<${Trust} of=${one} />` },
  { label: "Jobs", kind: "number", cell: (one) => count(one.load) },
  { label: "Heard", kind: "number", cell: (one) => html`<${Ago} at=${one.last_heartbeat} />` },
];

const none = (filtered) =>
  filtered
    ? html`<${Empty} icon="instances" title="No instance fits">Loosen the filters above.<//>`
    : html`<${Empty} icon="instances" title="No instance has joined yet">Run <code>flocklore instance run</code> in a codebase, or <code>flocklore up ~/src/project</code> for several at once.<//>`;

/** The page. */
export function Instances({ route, standing }) {
  const { query } = route;
  const asked = { q: query.get("q"), status: query.get("status"), after: query.get("after"), limit: 100 };
  const { data, error, reload } = useData(url("instances", asked), { on: ["instance", "learned", "insight"], every: 10 });
  const known = standing.data?.known_instances;
  return html`<${Page} title="Instances" says=${known === undefined ? "who is learning what" : `who is learning what: ${many(known, "instance")}`}
    acts=${html`<${Segments} name="status" label="Status" options=${STATES} /><${Search} placeholder="Name, host, role, region" />`}>
    <${Card} flush><${Table} caption="Instances" columns=${COLUMNS} rows=${data?.items} keyOf=${(one) => one.instance_id} error=${error} retry=${reload}
      empty=${none(query.get("q") || query.get("status"))} /><${Pager} route=${route} next=${data?.next} /><//><//>`;
}
