// What the fleet knows together, and how far it has come.
import { url } from "../api.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Empty } from "../components/empty.js";
import { Search, Segments } from "../components/filters.js";
import { Interval } from "../components/interval.js";
import { Pager, RowLink, Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { compact, count } from "../format.js";
import { html } from "../html.js";
import { Title, kindName, nameOf } from "../words.js";
import { KindAndLanguage } from "./patterns.js";

/** How many of those that are here have applied it. */
export function Adopted({ of: { applied_by: applied, told } }) {
  if (!told) return html`<span class="faint">nobody is here</span>`;
  const as = applied === told ? "good" : applied ? "busy" : "idle";
  return html`<${Badge} as=${as}>${count(applied)} of ${count(told)}<//>`;
}

const words = ({ accepted, rejected }) =>
  accepted || rejected ? html`<span title="accepted / rejected">${count(accepted)} / ${count(rejected)}</span>` : html`<span class="faint">–</span>`;

const COLUMNS = [
  { label: "Insight", cell: (one) => html`<${RowLink} page="insights" id=${one.id} title=${nameOf(one)}><${Title} of=${one} /><//>` },
  { label: "State", kind: "fit", cell: (one) => html`<${Badge} state=${one.state}>${one.withdrawn ? "taken back" : one.state}<//>` },
  { label: "Kind", kind: "fit", cell: (one) => kindName(one.kind) },
  { label: "Language", kind: "fit", cell: (one) => one.language || html`<span class="faint">any</span>` },
  { label: "Instances", kind: "number", cell: (one) => count(one.instances) },
  { label: "Files", kind: "number", cell: (one) => compact(one.files) },
  { label: "Of the fleet", kind: "fit", cell: (one) => (one.confidence ? html`<${Interval} value=${one.confidence.value} low=${one.confidence.lower} high=${one.confidence.upper} label="Share of repositories" />` : html`<span class="faint">–</span>`) },
  { label: "Adopted", kind: "fit", cell: (one) => html`<${Adopted} of=${one} />` },
  { label: "People", kind: "number", cell: words },
  { label: "Changed", kind: "number", cell: (one) => html`<${Ago} at=${one.changed_at} />` },
];

const none = (filtered) =>
  filtered
    ? html`<${Empty} icon="insights" title="No insight fits">Loosen the filters above.<//>`
    : html`<${Empty} icon="insights" title="No insights yet">A pattern becomes one when enough instances share it. <code>flocklore centralcloud aggregate</code> merges now.<//>`;

/** The page. */
export function Insights({ route }) {
  const told = Object.fromEntries(["q", "kind", "language", "sort", "state", "after"].map((name) => [name, route.query.get(name)]));
  const { data, error, reload } = useData(url("insights", { ...told, limit: 100 }), { on: ["insight", "instance"], every: 30 });
  const filtered = told.q || told.kind || told.language || told.state;
  return html`<${Page} title="Insights" says="what many know together"
    acts=${html`<${Segments} name="state" label="State" options=${[["active", "Active"], ["revoked", "Revoked"], ["any", "All"]]} />
      <${Segments} name="sort" label="Order" options=${[["support", "Most shared"], ["newest", "Newest"]]} />
      <${KindAndLanguage} items=${data?.items} /><${Search} placeholder="Name, template or id" />`}>
    <${Card} flush><${Table} caption="Insights" columns=${COLUMNS} rows=${data?.items} keyOf=${(one) => one.id} error=${error} retry=${reload} empty=${none(filtered)} />
      <${Pager} route=${route} next=${data?.next} /><//><//>`;
}
