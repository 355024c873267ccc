// What the hub that leads does when; and doing it now.
import { part, post } from "../api.js";
import { attempt } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card } from "../components/card.js";
import { Table } from "../components/table.js";
import { Ago, now } from "../clock.js";
import { compact, seconds } from "../format.js";
import { html } from "../html.js";

async function act(one, verb, done, reload) {
  if (await attempt(() => post(`schedules/${part(one.name)}/${verb}`), done)) reload();
}

const when = (one) => (one === null ? "–" : Number.isNaN(Number(one)) ? one : `every ${seconds(Number(one))}`);

const Due = ({ at }) => (Date.parse(at) < now() ? "now" : html`<${Ago} at=${at} />`);

function State({ of: one }) {
  if (!one.enabled) return html`<${Badge} state="disabled" />`;
  if (one.is_wanted) return html`<${Badge} as="busy">asked for<//>`;
  if (one.last_error) return html`<span title=${one.last_error}><${Badge} state="failed" /></span>`;
  return html`<${Badge} state="enabled" />`;
}

const columns = (reload) => [
  { label: "Schedule", cell: (one) => html`<strong>${one.name}</strong>` },
  { label: "State", kind: "fit", cell: (one) => html`<${State} of=${one} />` },
  { label: "When", kind: "fit", cell: (one) => when(one.when) },
  { label: "Last run", kind: "number", cell: (one) => html`<${Ago} at=${one.last_run} />` },
  { label: "Took", kind: "number", cell: (one) => seconds(one.took_seconds) },
  { label: "Next", kind: "number", cell: (one) => (one.next_run ? html`<${Due} at=${one.next_run} />` : "–") },
  { label: "Runs", kind: "number", cell: (one) => compact(one.runs) },
  { label: "Error", cell: (one) => (one.last_error ? html`<span title=${one.last_error}>${one.last_error}</span>` : html`<span class="faint">–</span>`) },
  { label: "Change", kind: "fit", cell: (one) => html`<span class="inline">
      <button class="button slim" aria-label=${`Run ${one.name} now`} onClick=${() => act(one, "run", `${one.name} runs as soon as the hub that leads sees it.`, reload)}>Run</button>
      <button class="button slim" aria-label=${`${one.enabled ? "Disable" : "Enable"} ${one.name}`} onClick=${() => act(one, one.enabled ? "disable" : "enable", `${one.name} is ${one.enabled ? "disabled" : "enabled"}.`, reload)}>${one.enabled ? "Disable" : "Enable"}</button></span>` },
];

/** The card; `of` is what useData gave for the schedules. */
export const Schedules = ({ of: { data, error, reload } }) => html`
  <${Card} title="Schedules" says="of the hub that leads" flush><${Table} caption="Schedules" columns=${columns(reload)} rows=${data?.items} keyOf=${(one) => one.name} error=${error} retry=${reload}
    empty=${html`<p class="card-body faint">No schedule has run yet.</p>`} /><//>`;
