// One insight: where it came from, how sure it is, how far it got; and a person's last word on it.
import { part, post, url } from "../api.js";
import { attempt, confirm } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card, Facts, Page } from "../components/card.js";
import { Chart } from "../components/chart.js";
import { Failure } from "../components/empty.js";
import { Icon } from "../components/icons.js";
import { Interval } from "../components/interval.js";
import { Lifecycle } from "../components/lifecycle.js";
import { Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { brief, count, many, percent } from "../format.js";
import { html, useMemo } from "../html.js";
import { address } from "../router.js";
import { InsightLink, InstanceLink, kindName, nameOf } from "../words.js";
import { Adopted } from "./insights.js";
import { Evidence, Versions } from "./pattern.js";

const STEPS = [
  { label: "Version", cell: (one) => html`<span class="mono">${count(one.version)}</span>` },
  { label: "State", kind: "fit", cell: (one) => html`<${Badge} state=${one.state} />` },
  { label: "Instances", kind: "number", cell: (one) => count(one.instances) },
  { label: "Repositories", kind: "number", cell: (one) => count(one.repositories) },
  { label: "At least", kind: "number", cell: (one) => percent(one.confidence) },
  { label: "When", kind: "number", cell: (one) => html`<${Ago} at=${one.changed_at} />` },
];

const OPINIONS = [
  { label: "Instance", cell: (one) => html`<${InstanceLink} name=${one.instance} />` },
  { label: "Word", kind: "fit", cell: (one) => html`<${Badge} as=${{ accepted: "good", rejected: "bad" }[one.verdict] ?? "idle"}>${one.verdict}<//>` },
  { label: "Reason", cell: (one) => one.reason || html`<span class="faint">none given</span>` },
  { label: "When", kind: "number", cell: (one) => html`<${Ago} at=${one.received_at} />` },
];

async function revoke(one, reload) {
  const answer = await confirm({
    title: "Take this insight back?",
    text: `${many(one.told, "instance")} will be told to drop it. It stays taken back, whatever instances learn, until somebody restores it.`,
    action: "Revoke",
    danger: true,
    input: { label: "Reason, for whoever asks later" },
  });
  const words = { by: "dashboard", reason: answer?.text }; // whatever version it is by now: merging makes new ones all the time
  if (answer && (await attempt(() => post(`insights/${part(one.id)}/revoke`, words), "Revoked; instances are being told."))) reload();
}

async function restore(one, reload) {
  const sure = await confirm({
    title: "Restore this insight?",
    text: "It is merged again from what instances know now, and told to all of them.",
    action: "Restore",
  });
  if (sure && (await attempt(() => post(`insights/${part(one.id)}/restore`, { by: "dashboard" }), "Restored; it is active again once it is merged."))) reload();
}

const Act = ({ one, reload }) =>
  one.withdrawn
    ? html`<button class="button first" onClick=${() => restore(one, reload)}>Restore</button>`
    : one.state === "active" && html`<button class="button danger" onClick=${() => revoke(one, reload)}>Revoke</button>`;

function History({ steps }) {
  const drawn = useMemo(
    () => ({
      times: steps.map((step) => Date.parse(step.changed_at) / 1000),
      series: [{ name: "instances", values: steps.map(({ instances }) => instances) }],
    }),
    [steps],
  );
  return html`<div class="card-body"><${Chart} ...${drawn} label="Instances that have it" format=${count} height=${120} /></div>`;
}

const About = ({ one }) => html`<${Facts} of=${[
  ["State", html`<${Badge} state=${one.state} />${one.above && html` <span class="tag">from above</span>`}`],
  ["Version", count(one.version)],
  ["Adopted by", html`<${Adopted} of=${one} />`],
  ["Instances", count(one.instances)],
  ["Repositories", count(one.repositories)],
  ["Files", count(one.files)],
  ["Occurrences", count(one.occurrences)],
  one.file_rate !== null && ["Files that show it", `${percent(one.file_rate)} on average`],
  one.view && ["Seen as", one.view],
  one.cluster && ["Much like", html`<${InsightLink} id=${one.cluster} />`],
  ["From", html`<span class="tags">${one.contributors.map((name) => html`<a key=${name} class="tag" href=${address("instances", name)}>${name}</a>`)}</span>`],
  ["Fingerprint", html`<code>${one.id}</code>`],
]} />`;

function Sure({ one }) {
  if (!one.confidence) return html`<p class="faint">It is revoked; nothing is claimed of it.</p>`;
  const { value, lower, upper } = one.confidence;
  return html`<div class="stack" style=${{ gap: "8px" }}><${Interval} value=${value} low=${lower} high=${upper} label="Share of repositories" />
    <p class="quiet small">${percent(value)} of the fleet's repositories of ${one.language || "any language"} have it, every instance's votes capped;
      with ${count(one.repositories)} of them seen it lies between ${percent(lower)} and ${percent(upper)}, in nine of ten cases.</p></div>`;
}

/** The page. */
export function Insight({ route: { id } }) {
  const concerns = { on: ["insight", "instance"], every: 30 };
  const { data, error, reload } = useData(url(`insights/${part(id)}`), concerns);
  const why = useData(url(`insights/${part(id)}/why`), concerns);
  const one = data?.insight;
  return html`<${Page} back="insights" title=${one ? nameOf(one) : `Insight ${brief(id)}`} says=${one && `${kindName(one.kind)}${one.language ? ` · ${one.language}` : ""}`}
    acts=${one && html`${!one.above && html`<a class="button" href=${address("patterns", id)}>Open the pattern</a>`}<${Act} one=${one} reload=${reload} />`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${one?.withdrawn && html`<div class="notice warn"><${Icon} name="warning" /><p>Taken back by ${one.withdrawn.by || "somebody"} <${Ago} at=${one.withdrawn.at} />${one.withdrawn.reason && `: ${one.withdrawn.reason}`}</p></div>`}
    ${one?.above && html`<div class="notice"><${Icon} name="insights" /><p>Known beyond this region: the hub above it tells of it, and too few instances here have it themselves.</p></div>`}
    ${data && html`<${Card} title="How far it has come"><${Lifecycle} of=${data.lifecycle} insight=${one} /><//>`}
    <div class="columns"><div class="stack">
      ${one?.template && html`<${Card} title="Shape" says="names that are not public are numbered"><pre class="template">${one.template}</pre><//>`}
      <${Card} title="Where it comes from" says="every observation behind it" flush><${Evidence} rows=${why.data?.observations} /><//>
      <${Card} title="What people said" flush><${Table} caption="What people said" columns=${OPINIONS} rows=${data?.opinions} keyOf=${(word) => word.instance}
        empty=${html`<p class="card-body faint">Nobody has said anything: <code>flocklore insights apply</code> or <code>undo</code> on an instance does.</p>`} /><//>
      <${Card} title="History" flush>${data?.history.length > 2 && html`<${History} steps=${data.history} />`}
        <${Table} caption="History" columns=${STEPS} rows=${data && [...data.history].reverse()} keyOf=${(step) => step.version} /><//>
    </div><div class="stack">
      <${Card} title="How sure">${one && html`<${Sure} one=${one} />`}<//>
      <${Card} title="About">${one && html`<${About} one=${one} />`}<//>
      ${data?.not_applied.length > 0 && html`<${Card} title="Not applied yet"><span class="tags">${data.not_applied.map((name) => html`<a key=${name} class="tag" href=${address("instances", name)}>${name}</a>`)}</span><//>`}
      ${data?.duplicates.length > 0 && html`<${Card} title="Near duplicates"><span class="tags">${data.duplicates.map((other) => html`<${InsightLink} key=${other} id=${other} />`)}</span><//>`}
      ${data && html`<${Versions} of=${data.versions} />`}
    </div></div><//>`;
}
