// Patterns as instances see them, those most of them share first.
import { url } from "../api.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Empty } from "../components/empty.js";
import { Search, Segments, Select } from "../components/filters.js";
import { Interval } from "../components/interval.js";
import { Pager, RowLink, Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { compact, count } from "../format.js";
import { html } from "../html.js";
import { Title, kindName, kinds, nameOf } from "../words.js";

const languages = new Set();

/** Narrow a list by kind and language; the languages are those that were seen. */
export function KindAndLanguage({ items }) {
  items?.forEach(({ language }) => language && languages.add(language));
  return html`<${Select} name="kind" label="Kind" all="Every kind" options=${kinds.map((kind) => [kind, kindName(kind)])} />
    <${Select} name="language" label="Language" all="Every language" options=${[...languages].sort().map((one) => [one, one])} />`;
}

const COLUMNS = [
  { label: "Pattern", cell: (one) => html`<${RowLink} page="patterns" id=${one.fingerprint} title=${nameOf(one)}><${Title} of=${one} /><//>` },
  { label: "Kind", kind: "fit", cell: (one) => kindName(one.kind) },
  { label: "Language", kind: "fit", cell: (one) => one.language || html`<span class="faint">any</span>` },
  { label: "Instances", kind: "number", cell: (one) => count(one.instances) },
  { label: "Repositories", kind: "number", cell: (one) => count(one.repositories) },
  { label: "Files", kind: "number", cell: (one) => compact(one.files) },
  { label: "Of the fleet", kind: "fit", cell: (one) => (one.confidence ? html`<${Interval} value=${one.confidence.value} low=${one.confidence.lower} high=${one.confidence.upper} label="Share of repositories" />` : html`<span class="faint">–</span>`) },
  { label: "Insight", kind: "fit", cell: (one) => (one.insight ? html`<${Badge} state=${one.insight} />` : html`<${Badge} as="idle">not yet<//>`) },
  { label: "Seen", kind: "number", cell: (one) => html`<${Ago} at=${one.last_seen} />` },
];

const none = (filtered) =>
  filtered
    ? html`<${Empty} icon="patterns" title="No pattern fits">Loosen the filters above.<//>`
    : html`<${Empty} icon="patterns" title="Nothing was learned yet">Patterns come from instances that study code: <code>flocklore instance run</code> starts one.<//>`;

/** The page. */
export function Patterns({ route }) {
  const told = Object.fromEntries(["q", "kind", "language", "sort", "after"].map((name) => [name, route.query.get(name)]));
  const { data, error, reload } = useData(url("patterns", { ...told, limit: 100 }), { on: ["learned", "insight"], every: 60 });
  const filtered = told.q || told.kind || told.language;
  return html`<${Page} title="Patterns" says="what instances found in their code"
    acts=${html`<${Segments} name="sort" label="Order" options=${[["support", "Most shared"], ["newest", "Newest"]]} />
      <${KindAndLanguage} items=${data?.items} /><${Search} placeholder="Name or template" />`}>
    <${Card} flush><${Table} caption="Patterns" columns=${COLUMNS} rows=${data?.items} keyOf=${(one) => one.fingerprint} error=${error} retry=${reload} empty=${none(filtered)} />
      <${Pager} route=${route} next=${data?.next} /><//><//>`;
}
