// One pattern and everybody who has it, down to the event that said so.
import { part, url } from "../api.js";
import { Badge } from "../components/badge.js";
import { Card, Facts, Page } from "../components/card.js";
import { Failure } from "../components/empty.js";
import { Interval } from "../components/interval.js";
import { Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { brief, count, moment } from "../format.js";
import { html } from "../html.js";
import { address } from "../router.js";
import { kindName, nameOf } from "../words.js";

const EVIDENCE = [
  { label: "Instance", cell: (one) => html`<a class="row-link" href=${address("instances", one.instance)}>${one.instance}</a>` },
  { label: "Repository", kind: "fit", cell: (one) => html`<code title=${one.repository}>${brief(one.repository)}</code>` },
  { label: "Files", kind: "number", cell: (one) => count(one.files) },
  { label: "Occurrences", kind: "number", cell: (one) => count(one.occurrences) },
  { label: "Version", kind: "number", cell: (one) => count(one.version) },
  { label: "Event", kind: "fit", cell: (one) => html`<code title=${`event ${one.event_id} of epoch ${one.epoch}`}>${brief(one.epoch)}:${one.seq}</code>` },
  { label: "Counts", kind: "fit", cell: (one) => (one.trusted ? html`<${Badge} as="good">yes<//>` : html`<${Badge} as="bad">set aside<//>`) },
  { label: "Said", kind: "number", cell: (one) => html`<${Ago} at=${one.received_at} />` },
];

/** Who said so: one row an observation, with the event that brought it. */
export const Evidence = ({ rows }) => html`<${Table} caption="Evidence" columns=${EVIDENCE} rows=${rows} keyOf=${(one) => one.event_id + one.repository}
  empty=${html`<p class="card-body faint">Nobody has it any more.</p>`} />`;

/** Repositories by the version they use; nothing where there are no versions. */
export function Versions({ of }) {
  const all = Object.entries(of);
  if (!all.length) return null;
  return html`<${Card} title="Versions in use"><dl class="facts">${all.map(([version, repositories]) => html`
    <dt key=${version}><code>${version}</code></dt><dd>${count(repositories)}</dd>`)}</dl><//>`;
}

/** The page. */
export function Pattern({ route: { id } }) {
  const { data, error, reload } = useData(url(`patterns/${part(id)}`), { on: ["learned", "insight"], every: 60 });
  const one = data?.pattern;
  return html`<${Page} back="patterns" title=${one ? nameOf(one) : `Pattern ${brief(id)}`} says=${one && `${kindName(one.kind)} · ${one.language}`}
    acts=${one?.insight && html`<a class="button" href=${address("insights", id)}>Open the insight</a>`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    <div class="columns"><div class="stack">
      ${one?.template && html`<${Card} title="Shape" says="names that are not public are numbered"><pre class="template">${one.template}</pre><//>`}
      <${Card} title="Who has it" says="down to the event that said so" flush><${Evidence} rows=${data?.evidence} /><//>
    </div><div class="stack">
      <${Card} title="About">${one && html`<${Facts} of=${[
        ["Insight", one.insight ? html`<${Badge} state=${one.insight} />` : html`<${Badge} as="idle">too few have it<//>`],
        ["Of the fleet", one.confidence && html`<${Interval} value=${one.confidence.value} low=${one.confidence.lower} high=${one.confidence.upper} />`],
        ["Instances", count(one.instances)],
        ["Repositories", count(one.repositories)],
        ["Files", count(one.files)],
        ["Occurrences", count(one.occurrences)],
        one.view && ["Seen as", one.view],
        ["First seen", html`<${Ago} at=${one.first_seen} /> <span class="faint">${moment(one.first_seen)}</span>`],
        ["Last said", html`<${Ago} at=${one.last_seen} />`],
        ["Fingerprint", html`<code>${one.fingerprint}</code>`],
      ].filter((fact) => fact && fact[1] !== null)} />`}<//>
      ${data && html`<${Versions} of=${data.releases} />`}
    </div></div><//>`;
}
