// One instance: what it knows, what it said, how far it is, what happened to it.
import { part, url } from "../api.js";
import { Badge, Tags } from "../components/badge.js";
import { Card, Facts, Page } from "../components/card.js";
import { Empty, Failure } from "../components/empty.js";
import { Timeline } from "../components/feed.js";
import { Icon } from "../components/icons.js";
import { RowLink, Table } from "../components/table.js";
import { Tile } from "../components/tile.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { brief, cents, compact, count, many, moment, percent } from "../format.js";
import { html } from "../html.js";
import { Title, kindName } from "../words.js";
import { Insighted, Trust, languagesOf } from "./instances.js";

const KNOWN = [
  { label: "Kind", cell: (one) => kindName(one.kind) },
  { label: "Language", cell: (one) => one.language || html`<span class="faint">any</span>` },
  { label: "Patterns", kind: "number", cell: (one) => count(one.patterns) },
  { label: "Shared with others", kind: "number", cell: (one) => html`${count(one.shared)} <span class="faint">${percent(one.patterns ? one.shared / one.patterns : null)}</span>` },
  { label: "Files", kind: "number", cell: (one) => compact(one.files) },
];

const NEWEST = [
  { label: "Pattern", cell: (one) => html`<${RowLink} page="patterns" id=${one.fingerprint}><${Title} of=${one} /><//>` },
  { label: "Kind", kind: "fit", cell: (one) => kindName(one.kind) },
  { label: "Language", kind: "fit", cell: (one) => one.language },
  { label: "Files", kind: "number", cell: (one) => count(one.files) },
  { label: "Learned", kind: "number", cell: (one) => html`<${Ago} at=${one.first_received_at} />` },
];

const LINEAGES = [
  { label: "Epoch", cell: (one) => html`<code title=${one.epoch}>${brief(one.epoch)}</code>` },
  { label: "Received", kind: "number", cell: (one) => count(one.received) },
  { label: "In a backup", kind: "number", cell: (one) => count(one.durable) },
  { label: "State", kind: "fit", cell: (one) => (one.forked ? html`<${Badge} as="bad">cloned or restored<//>` : html`<${Badge} as="good">one line<//>`) },
  { label: "Heard", kind: "number", cell: (one) => html`<${Ago} at=${one.updated_at} />` },
];

const About = ({ of: one }) => html`<${Facts} of=${[
  ["Host", `${one.hostname || "–"}${one.pid ? `, process ${one.pid}` : ""}`],
  ["Role", one.role || "–"],
  one.region && ["Region", one.region],
  ["Version", one.version || "–"],
  ["Started", one.started_at ? html`<${Ago} at=${one.started_at} /> <span class="faint">${moment(one.started_at)}</span>` : "–"],
  ["Reported", html`<${Ago} at=${one.reported_at} />`],
  ["Languages", html`<${Tags} words=${languagesOf(one)} max=${8} />`],
  one.capabilities.length && ["Can", html`<${Tags} words=${one.capabilities} max=${8} />`],
  ["Trust", html`<${Trust} of=${one} />`],
]} />`;

const Numbers = ({ of: one, opinions, work }) => html`<div class="tiles">
  <${Tile} name="Patterns" value=${compact(one.patterns)} hint=${one.codebases === null ? "not reported yet" : `in ${many(one.codebases, "codebase")}, ${many(one.files, "file")}`} />
  <${Tile} name="Events said" value=${compact(one.learned)} hint=${one.lag ? `${compact(one.lag)} on the way` : "all of them are here"} />
  <${Tile} name="Insights applied" value=${compact(one.insights_applied)} hint=${one.insight_lag ? `${compact(one.insight_lag)} changes behind` : `up to version ${compact(one.insight_version)}`} />
  <${Tile} name="Opinions" value=${compact(opinions.accepted + opinions.rejected)} hint=${`${count(opinions.accepted)} accepted, ${count(opinions.rejected)} rejected`} />
  <${Tile} name="Jobs done" value=${compact(work.results)} unit="in 30 days" hint=${work.results ? `${count(work.succeeded)} well, ${count(work.failed)} not, ${cents(work.cost_cents)}` : "none recorded"} />
</div>`;

const nothing = (title) => html`<${Empty} icon="patterns" title=${title}>It studies its codebases every hour; <code>flocklore patterns mine</code> does it now.<//>`;

/** The page. */
export function Instance({ route: { id } }) {
  const concerns = { on: ["instance", "learned", "insight"], every: 10 };
  const { data, error, reload } = useData(url(`instances/${part(id)}`), concerns);
  const timeline = useData(url(`instances/${part(id)}/timeline`, { limit: 60 }), concerns);
  const one = data?.instance;
  return html`<${Page} back="instances" title=${id} says=${one && html`<span class="inline"><${Badge} state=${one.status} /><${Insighted} of=${one} />
      <span>heard <${Ago} at=${one.last_heartbeat} /></span></span>`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${one?.reason && html`<div class="notice warn"><${Icon} name="warning" /><p>${one.reason}</p></div>`}
    ${one && html`<${Numbers} of=${one} opinions=${data.opinions} work=${data.work} />`}
    <div class="columns"><div class="stack">
      <${Card} title="What it knows" flush><${Table} caption="What it knows" columns=${KNOWN} rows=${data?.known} keyOf=${(row) => `${row.kind} ${row.language}`} empty=${nothing("It knows nothing yet")} /><//>
      <${Card} title="Learned last" flush><${Table} caption="Learned last" columns=${NEWEST} rows=${data?.newest} keyOf=${(row) => row.fingerprint} empty=${nothing("It has said nothing yet")} /><//>
      <${Card} title="Lineages" says="a new one begins with its database, or after it was cloned" flush><${Table} caption="Lineages" columns=${LINEAGES} rows=${data?.lineages} keyOf=${(row) => row.epoch} empty=${nothing("It has said nothing yet")} /><//>
    </div><div class="stack">
      <${Card} title="About">${one && html`<${About} of=${one} />`}<//>
      <${Card} title="Timeline">${timeline.data?.items.length ? html`<${Timeline} items=${timeline.data.items} />` : html`<p class="faint">Nothing happened in the last seven days.</p>`}<//>
    </div></div><//>`;
}
