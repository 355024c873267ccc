// centralcloud's own jobs: by state, with what to do about many of them at once.
import { post, url } from "../api.js";
import { attempt, confirm } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Empty } from "../components/empty.js";
import { Search, Select } from "../components/filters.js";
import { Pager, RowLink, Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { compact, many, seconds } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { address } from "../router.js";
import { Queues } from "./queues.js";

const STATES = ["executing", "available", "scheduled", "retryable", "completed", "discarded", "cancelled"];

/** How many jobs of a state there are, over the queues. */
const total = (queues, state) => queues.reduce((sum, { jobs }) => sum + (jobs[state] ?? 0), 0);

function States({ route, queues }) {
  const told = route.query.get("state") ?? "";
  const plain = Object.fromEntries(route.query);
  const link = (state, label, amount) => html`
    <a key=${state} href=${address("jobs", "", { ...plain, state, after: "" })} aria-current=${told === state ? "true" : null}>
      ${label}<span class="amount">${queues ? compact(amount) : ""}</span></a>`;
  const all = queues ? STATES.reduce((sum, state) => sum + total(queues, state), 0) : 0;
  return html`<nav class="state-list" aria-label="States">${link("", "All", all)}
    ${STATES.map((state) => link(state, html`<${Badge} state=${state} />`, queues ? total(queues, state) : 0))}</nav>`;
}

const Check = ({ label, checked, onChange }) => html`<input class="check" type="checkbox" aria-label=${label} checked=${checked} onChange=${onChange} />`;

function columns(picked, pick, all, pickAll) {
  return [
    { label: "Select", kind: "fit", plain: true, head: html`<${Check} label="Select all" checked=${all} onChange=${pickAll} />`,
      cell: (job) => html`<${Check} label=${`Select job ${job.id}`} checked=${picked.has(job.id)} onChange=${() => pick(job.id)} />` },
    { label: "Job", cell: (job) => html`<${RowLink} page="jobs" id=${String(job.id)}>${job.kind} <span class="faint">${job.id}</span><//>` },
    { label: "State", kind: "fit", cell: (job) => html`<${Badge} state=${job.state} />` },
    { label: "Queue", kind: "fit", cell: (job) => job.queue },
    { label: "Attempt", kind: "number", cell: (job) => `${job.attempt} of ${job.attempts_max}` },
    { label: "Error", cell: (job) => (job.last_error ? html`<span title=${job.last_error}>${job.last_error}</span>` : html`<span class="faint">–</span>`) },
    { label: "Took", kind: "number", cell: (job) => seconds(job.took_seconds) },
    { label: "When", kind: "number", cell: (job) => html`<${Ago} at=${job.finished_at ?? job.attempted_at ?? job.scheduled_at} />` },
  ];
}

const none = (filtered) =>
  filtered
    ? html`<${Empty} icon="jobs" title="No job fits">Choose another state, or clear the filters.<//>`
    : html`<${Empty} icon="jobs" title="No jobs yet">centralcloud begins jobs by itself, for example to replay dead letters. Those of an instance: <code>flocklore jobs list</code> on its machine.<//>`;

function Chosen({ picked, clear, reload }) {
  const ids = [...picked];
  const act = async (verb, done) => {
    const sure = await confirm({ title: `${verb} ${many(ids.length, "job")}?`, text: "Those whose state does not allow it stay as they are.", action: verb, danger: verb === "Cancel" });
    if (sure && (await attempt(() => post(`jobs/${verb.toLowerCase()}`, { ids }), ({ changed }) => `${many(changed, "job")} ${done}.`))) {
      clear();
      reload();
    }
  };
  return html`<div class="bar" role="toolbar" aria-label="Selected jobs"><strong>${many(ids.length, "job")} selected</strong>
    <button class="button" onClick=${() => act("Retry", "will run again")}>Retry</button>
    <button class="button danger" onClick=${() => act("Cancel", "cancelled")}>Cancel</button>
    <button class="button" onClick=${clear}>Clear</button></div>`;
}

/** The page. */
export function Jobs({ route }) {
  const told = Object.fromEntries(["state", "queue", "kind", "after"].map((name) => [name, route.query.get(name)]));
  const { data, error, reload } = useData(url("jobs", { ...told, limit: 100 }), { on: ["job", "schedule"], every: 5 });
  const queues = useData(url("queues"), { on: ["job"], every: 5 });
  const [picked, setPicked] = useState(new Set());
  useEffect(() => setPicked(new Set()), [route]);

  const jobs = data?.items ?? [];
  const here = jobs.filter(({ id }) => picked.has(id));
  const pick = (id) => setPicked((before) => new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]));
  const all = jobs.length > 0 && here.length === jobs.length;
  const pickAll = () => setPicked(new Set(all ? [] : jobs.map(({ id }) => id)));
  const again = () => Promise.all([reload(), queues.reload()]);
  const filtered = told.state || told.queue || told.kind;
  const shown = queues.data?.items;
  return html`<${Page} title="Jobs" says="of centralcloud; those of an instance stay on its machine"
    acts=${html`<${Select} name="queue" label="Queue" all="Every queue" options=${(shown ?? []).map(({ name }) => [name, name])} /><${Search} name="kind" placeholder="Kind of job" />`}>
    <div class="with-side">
      <section class="card" aria-label="States"><${States} route=${route} queues=${shown} /></section>
      <div class="stack">
        <${Queues} queues=${shown} error=${queues.error} reload=${again} />
        <${Card} flush><${Table} caption="Jobs" columns=${columns(picked, pick, all, pickAll)} rows=${data?.items} keyOf=${(job) => job.id} picked=${picked} error=${error} retry=${reload} empty=${none(filtered)} />
          <${Pager} route=${route} next=${data?.next} /><//>
        ${here.length > 0 && html`<${Chosen} picked=${new Set(here.map(({ id }) => id))} clear=${() => setPicked(new Set())} reload=${again} />`}
      </div>
    </div><//>`;
}
