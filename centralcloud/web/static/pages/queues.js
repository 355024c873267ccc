// The queues of centralcloud: how full, how many at once, whether they run.
import { part, post } from "../api.js";
import { attempt, confirm } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card } from "../components/card.js";
import { Table } from "../components/table.js";
import { compact, count, seconds } from "../format.js";
import { html } from "../html.js";
import { address } from "../router.js";

const AT_ONCE_MAX = 1000;

async function scale(queue, reload) {
  const answer = await confirm({
    title: `How many jobs of ${queue.name} at once?`,
    text: "By each process; what runs goes on.",
    action: "Set",
    input: { label: "Jobs at once", type: "number", min: 0, max: AT_ONCE_MAX, value: queue.limit_per_worker, required: true },
  });
  if (!answer) return;
  const limit = Number(answer.text);
  if (await attempt(() => post(`queues/${part(queue.name)}/scale`, { limit }), `${queue.name} runs ${count(limit)} at once.`)) reload();
}

async function turn(queue, reload) {
  const verb = queue.paused ? "resume" : "pause";
  const done = queue.paused ? `${queue.name} goes on.` : `${queue.name} begins no more jobs; what runs goes on.`;
  if (await attempt(() => post(`queues/${part(queue.name)}/${verb}`), done)) reload();
}

const columns = (reload) => [
  { label: "Queue", cell: (one) => html`<a href=${address("jobs", "", { queue: one.name })}>${one.name}</a>` },
  { label: "State", kind: "fit", cell: (one) => (one.paused ? html`<${Badge} state="paused" />` : html`<${Badge} state="running" />`) },
  { label: "Running", kind: "number", cell: (one) => compact(one.jobs.executing ?? 0) },
  { label: "Waiting", kind: "number", cell: (one) => compact((one.jobs.available ?? 0) + (one.jobs.scheduled ?? 0) + (one.jobs.retryable ?? 0)) },
  { label: "Oldest waits", kind: "number", cell: (one) => seconds(one.oldest_waiting_seconds) },
  { label: "At once", kind: "number", cell: (one) => `${count(one.limit_per_worker)} a process` },
  { label: "Change", kind: "fit", cell: (one) => html`<span class="inline">
      <button class="button slim" aria-label=${`${one.paused ? "Resume" : "Pause"} ${one.name}`} onClick=${() => turn(one, reload)}>${one.paused ? "Resume" : "Pause"}</button>
      <button class="button slim" aria-label=${`Scale ${one.name}`} onClick=${() => scale(one, reload)}>Scale</button></span>` },
];

/** The card. */
export const Queues = ({ queues, error, reload }) => html`
  <${Card} title="Queues" flush><${Table} caption="Queues" columns=${columns(reload)} rows=${queues} keyOf=${(one) => one.name} error=${error} retry=${reload}
    empty=${html`<p class="card-body faint">There are no queues.</p>`} /><//>`;
