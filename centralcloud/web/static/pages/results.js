// What the jobs of the fleet came to: success, cost and latency by model and kind of job; and what is advised from it.
import { url } from "../api.js";
import { Card, Page } from "../components/card.js";
import { Chart } from "../components/chart.js";
import { Empty, Failure } from "../components/empty.js";
import { Segments, Select } from "../components/filters.js";
import { Interval } from "../components/interval.js";
import { Table } from "../components/table.js";
import { Tile } from "../components/tile.js";
import { useData } from "../data.js";
import { cents, compact, count, many, percent, seconds } from "../format.js";
import { html, useMemo } from "../html.js";

const DAYS = [["30", "30 d"], ["7", "7 d"], ["1", "Today"], ["90", "90 d"]];

const ms = (value) => seconds(value === null || value === undefined ? null : value / 1000);
const sure = (share, of) => (share ? html`<${Interval} value=${share.value} low=${share.lower} high=${share.upper} label="Succeeded" of=${of} />` : html`<span class="faint">nobody has said</span>`);

const MEASURED = [
  { label: "Results", kind: "number", cell: (one) => compact(one.results) },
  { label: "Instances", kind: "number", cell: (one) => count(one.instances) },
  { label: "Success", kind: "fit", cell: (one) => sure(one.success, many(one.succeeded + one.failed, "labelled result")) },
  { label: "Cost", kind: "number", cell: (one) => cents(one.cost_cents) },
  { label: "Per success", kind: "number", cell: (one) => cents(one.cost_per_success_cents) },
  { label: "Latency p50", kind: "number", cell: (one) => ms(one.latency.p50 ?? one.latency.mean) },
  { label: "p95", kind: "number", cell: (one) => ms(one.latency.p95) },
  { label: "Tokens", kind: "number", cell: (one) => (one.metered ? compact(Object.values(one.tokens).reduce((sum, each) => sum + each, 0)) : "–") },
];
const BY_KIND = [
  { label: "Kind of job", cell: (one) => html`<strong>${one.job_type}</strong>` },
  { label: "Model", cell: (one) => one.model || html`<span class="faint">none</span>` },
  ...MEASURED,
];
const BY_MODEL = [{ label: "Model", cell: (one) => html`<strong>${one.model || "none"}</strong>` }, ...MEASURED];

const context = (of) => Object.entries(of).map(([name, value]) => `${name} ${value}`).join(", ");
const PRIORS = [
  { label: "Kind of job", cell: (one) => html`<strong>${one.job_type}</strong>${context(one.context) && html` <span class="faint">${context(one.context)}</span>`}` },
  { label: "Model", cell: (one) => one.model },
  { label: "Instances", kind: "number", cell: (one) => count(one.instances) },
  { label: "Counts as", kind: "number", cell: (one) => html`${compact(one.results)} <span class="faint">× ${percent(one.weight)}</span>` },
  { label: "Success", kind: "fit", cell: (one) => sure(one.success) },
  { label: "Cost", kind: "number", cell: (one) => cents(one.cost_cents) },
  { label: "Latency", kind: "number", cell: (one) => ms(one.latency_ms) },
];

const nothing = html`<${Empty} icon="results" title="No results yet">
  Agents and tools report how their work ended: <code>flocklore results import claude</code>, <code>codex</code>, or OpenTelemetry sent to an instance.<//>`;

function Days({ days }) {
  const drawn = useMemo(() => {
    const times = days.map(({ day }) => Date.parse(day) / 1000);
    return { times, series: [{ name: "results", values: days.map(({ results }) => results) }, { name: "succeeded", values: days.map(({ succeeded }) => succeeded) }, { name: "failed", values: days.map(({ failed }) => failed) }] };
  }, [days]);
  return html`<${Chart} ...${drawn} label="Results a day" format=${compact} days=${true} height=${160} />`;
}

function Totals({ of }) {
  return html`<div class="tiles">
    <${Tile} name="Results" value=${of && compact(of.results)} hint=${of ? `of ${many(of.instances, "instance")}` : ""} />
    <${Tile} name="Success" value=${of && percent(of.success?.value ?? null)} hint=${of ? (of.success ? `between ${percent(of.success.lower)} and ${percent(of.success.upper)}` : "nobody has said yet") : ""} />
    <${Tile} name="Cost" value=${of && cents(of.cost_cents)} hint=${of ? `${compact(of.cost.known)} priced` : ""} />
    <${Tile} name="Cost per success" value=${of && cents(of.cost_per_success_cents)} hint=${of?.cost_per_success_cents === null ? "not every result is priced" : ""} />
    <${Tile} name="Latency p50" value=${of && ms(of.latency.p50)} hint=${of ? `95 % within ${ms(of.latency.p95)}` : ""} />
  </div>`;
}

/** The page. */
export function Results({ route }) {
  const told = Object.fromEntries(["days", "job_type", "model"].map((name) => [name, route.query.get(name)]));
  const concerns = { on: ["learned"], every: 30 };
  const { data, error, reload } = useData(url("results/summary", told), concerns);
  const models = useData(url("results/models", told), concerns);
  const priors = useData(url("results/routing", { job_type: told.job_type, model: told.model, limit: 100 }), { every: 60 });
  const named = (name) => [...new Set((data?.items ?? []).map((one) => one[name]).filter(Boolean))].sort().map((one) => [one, one]);
  return html`<${Page} title="Results" says="what work came to, and what it cost"
    acts=${html`<${Segments} name="days" label="Time" options=${DAYS} /><${Select} name="job_type" label="Kind of job" all="Every kind" options=${named("job_type")} /><${Select} name="model" label="Model" all="Every model" options=${named("model")} />`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    <${Totals} of=${data?.total} />
    ${data?.days.length > 1 && html`<${Card} title="By day"><${Days} days=${data.days} /><//>`}
    <${Card} title="By kind of job and model" flush><${Table} caption="By kind of job and model" columns=${BY_KIND} rows=${data?.items} keyOf=${(one) => `${one.job_type} ${one.model}`} empty=${nothing} /><//>
    ${models.data?.items.length > 0 && html`<${Card} title="By model" flush><${Table} caption="By model" columns=${BY_MODEL} rows=${models.data.items} keyOf=${(one) => one.model} /><//>`}
    <${Card} title="What instances are told" says="priors for their own evidence, never a verdict" flush><${Table} caption="Priors" columns=${PRIORS} rows=${priors.data?.items} error=${priors.error} retry=${priors.reload}
      keyOf=${(one) => `${one.job_type} ${one.model} ${context(one.context)}`} empty=${html`<p class="card-body faint">There are no priors yet; the schedule “routing” makes them from results.</p>`} /><//><//>`;
}
