// The hubs themselves: what is wrong, who leads, what is done when, who holds what.
import { post, url } from "../api.js";
import { attempt, confirm } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Table } from "../components/table.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { count, many, seconds } from "../format.js";
import { html } from "../html.js";
import { Alerts } from "./alerts.js";
import { Schedules } from "./schedules.js";

const HISTORY = [
  { label: "Epoch", kind: "fit", cell: (one) => html`<span class="mono">${one.epoch}</span>` },
  { label: "Hub", cell: (one) => html`<span title=${one.holder}>${one.hostname}, process ${one.pid}</span>` },
  { label: "Ended", kind: "fit", cell: (one) => (one.ended ? html`<${Badge} as=${one.ended === "released" ? "idle" : "warn"}>${one.ended}<//>` : html`<${Badge} state="leading" />`) },
  { label: "For", kind: "number", cell: (one) => seconds(one.held_seconds) },
  { label: "From", kind: "number", cell: (one) => html`<${Ago} at=${one.acquired_at} />` },
];

const LOCKS = [
  { label: "Lock", cell: (one) => html`<strong>${one.lock_name}</strong>` },
  { label: "Holder", cell: (one) => html`<span title=${one.holder}>${one.hostname}, process ${one.pid}</span>` },
  { label: "Epoch", kind: "number", cell: (one) => count(one.epoch) },
  { label: "Lasts", kind: "number", cell: (one) => seconds(one.remaining_seconds) },
];

const WORKERS = [
  { label: "Process", cell: (one) => html`<strong title=${`${one.hostname}, process ${one.pid}`}>${one.name}</strong>` },
  { label: "Status", kind: "fit", cell: (one) => html`<${Badge} state=${one.status} />` },
  { label: "Role", kind: "fit", cell: (one) => one.role },
  { label: "Jobs", kind: "number", cell: (one) => count(one.load) },
  { label: "Version", kind: "fit", cell: (one) => one.version },
  { label: "Heard", kind: "number", cell: (one) => html`<${Ago} at=${one.last_heartbeat_at} />` },
];

const CANDIDATES = [
  { label: "Hub", cell: (one) => html`<strong title=${`${one.hostname}, process ${one.pid}`}>${one.name}</strong>` },
  { label: "State", kind: "fit", cell: (one) => (one.leads ? html`<${Badge} state="leading" />` : html`<${Badge} as="idle">ready<//>`) },
  { label: "Candidacy", kind: "fit", cell: (one) => one.candidacy },
  { label: "Since", kind: "number", cell: (one) => html`<${Ago} at=${one.since} />` },
];

const LEAD_SECONDS = 40; // the server waits until the lead is really given up
const none = (text) => html`<p class="card-body faint">${text}</p>`;

async function handOver(reload) {
  const sure = await confirm({ title: "Hand over the lead?", text: "The hub that leads lets others lead for half a minute. Without another hub it takes the lead again then.", action: "Hand over", danger: true });
  if (sure && (await attempt(() => post("/admin/orchestrator/stop", {}, LEAD_SECONDS), "The lead is handed over."))) reload();
}

/** The page. */
export function System({ standing }) {
  const leader = useData(url("leader"), { on: ["leader"], every: 10 });
  const history = useData(url("leader/history", { limit: 20 }), { on: ["leader"], every: 60 });
  const schedules = useData(url("schedules"), { on: ["schedule", "leader"], every: 10 });
  const locks = useData(url("locks"), { on: ["leader"], every: 10 });
  const workers = useData(url("workers"), { every: 10 });
  const streams = useData(url("streams"), { every: 30 });
  const led = leader.data?.leader;
  return html`<${Page} title="System" says=${leader.data && (led ? html`<span class="inline"><${Badge} as="good">${led.candidate} leads<//> <span>epoch ${led.epoch}, ${many(leader.data.failovers, "failover")}</span></span>` : html`<${Badge} as="bad">Nobody leads<//>`)}
    acts=${led && html`<button class="button" onClick=${() => handOver(leader.reload)}>Hand over the lead</button>`}>
    <${Alerts} standing=${standing} leader=${leader} streams=${streams} schedules=${schedules} workers=${workers} />
    <${Schedules} of=${schedules} />
    <div class="halves"><div class="stack">
      <${Card} title="Hubs that can lead" flush><${Table} caption="Hubs that can lead" columns=${CANDIDATES} rows=${leader.data?.candidates} keyOf=${(one) => one.name} error=${leader.error} retry=${leader.reload} empty=${none("No hub can lead.")} /><//>
      <${Card} title="Who led when" flush><${Table} caption="Who led when" columns=${HISTORY} rows=${history.data?.items} keyOf=${(one) => one.epoch} error=${history.error} retry=${history.reload} empty=${none("Nobody has led yet.")} /><//>
    </div><div class="stack">
      <${Card} title="Processes" flush><${Table} caption="Processes" columns=${WORKERS} rows=${workers.data?.items} keyOf=${(one) => one.name} error=${workers.error} retry=${workers.reload} empty=${none("No process runs jobs.")} /><//>
      <${Card} title="Locks" flush><${Table} caption="Locks" columns=${LOCKS} rows=${locks.data?.items} keyOf=${(one) => one.lock_name} error=${locks.error} retry=${locks.reload} empty=${none("No lock is held.")} /><//>
    </div></div><//>`;
}
