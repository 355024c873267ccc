// The bus: streams, who reads them and how far behind, and what could not be read.
import { post, url } from "../api.js";
import { attempt, confirm } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Empty } from "../components/empty.js";
import { Segments } from "../components/filters.js";
import { Meter } from "../components/interval.js";
import { Pager, Table } from "../components/table.js";
import { Tile } from "../components/tile.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { bytes, compact, count, many, seconds } from "../format.js";
import { html } from "../html.js";
import { InstanceLink } from "../words.js";

const LATE_SECONDS = 60;

const STREAMS = [
  { label: "Stream", cell: (one) => html`<strong>${one.name}</strong>` },
  { label: "Subjects", cell: (one) => html`<code title=${one.subjects.join(", ")}>${one.subjects.join(", ")}</code>` },
  { label: "Messages", kind: "number", cell: (one) => compact(one.messages) },
  { label: "Size", kind: "number", cell: (one) => html`${bytes(one.bytes)}${one.bytes_max && html` <${Meter} share=${one.bytes / one.bytes_max} label="Full to" />`}` },
  { label: "Sequence", kind: "number", cell: (one) => `${count(one.first_seq)} to ${count(one.last_seq)}` },
  { label: "Senders", kind: "number", cell: (one) => count(one.senders) },
  { label: "Replicas", kind: "number", cell: (one) => html`<span title=${one.leader ?? ""}>${count(one.replicas)}</span>` },
  { label: "Last", kind: "number", cell: (one) => html`<${Ago} at=${one.last_at} />` },
];

/** Whether a reader keeps up. */
export const late = ({ lag_seconds: seconds }) => seconds !== null && seconds > LATE_SECONDS;

const CONSUMERS = [
  { label: "Reader", cell: (one) => html`<strong>${one.name}</strong> <span class="faint">of ${one.stream}</span>` },
  { label: "State", kind: "fit", cell: (one) => (late(one) ? html`<${Badge} state="late" />` : html`<${Badge} as="good">keeps up<//>`) },
  { label: "Lag", kind: "number", cell: (one) => compact(one.lag) },
  { label: "Oldest", kind: "number", cell: (one) => seconds(one.lag_seconds) },
  { label: "Unacknowledged", kind: "number", cell: (one) => compact(one.ack_pending) },
  { label: "Redelivered", kind: "number", cell: (one) => compact(one.redelivered) },
  { label: "Fetches open", kind: "number", cell: (one) => count(one.waiting) },
  { label: "Acknowledged to", kind: "number", cell: (one) => count(one.acknowledged) },
  { label: "Active", kind: "number", cell: (one) => html`<${Ago} at=${one.last_active_at} />` },
];

const LETTERS = [
  { label: "Letter", cell: (one) => html`<span class="mono">${one.id}</span>` , kind: "fit" },
  { label: "From", kind: "fit", cell: (one) => (one.instance ? html`<${InstanceLink} name=${one.instance} />` : html`<span class="faint">unknown</span>`) },
  { label: "Why", cell: (one) => html`<span title=${one.error}>${one.error}</span>` },
  { label: "Begins with", cell: (one) => html`<code title=${one.excerpt}>${one.excerpt}</code>` },
  { label: "Size", kind: "number", cell: (one) => bytes(one.bytes) },
  { label: "State", kind: "fit", cell: (one) => (one.replayed_at ? html`<${Badge} as="good">applied<//>` : html`<${Badge} as="bad">set aside<//>`) },
  { label: "Came", kind: "number", cell: (one) => html`<${Ago} at=${one.received_at} />` },
];

async function replay(reload) {
  const sure = await confirm({ title: "Try all dead letters again?", text: "As a job; what can be read now is applied once, the rest stays here.", action: "Replay" });
  if (!sure) return;
  await attempt(() => post("dead-letters/replay"), ({ job, is_new: fresh }) => (fresh ? `Job ${job} does it.` : `Job ${job} does it already.`));
  reload();
}

function Totals({ streams, letters }) {
  const items = streams?.items ?? [];
  const readers = items.flatMap(({ consumers }) => consumers);
  const sum = (rows, field) => rows.reduce((whole, row) => whole + row[field], 0);
  const known = (value) => streams && value;
  return html`<div class="tiles">
    <${Tile} name="Messages kept" value=${known(compact(sum(items, "messages")))} hint=${streams ? many(items.length, "stream") : ""} />
    <${Tile} name="Waiting" value=${known(compact(sum(readers, "lag")))} hint="not taken in yet" />
    <${Tile} name="Redelivered" value=${known(compact(sum(readers, "redelivered")))} hint="given more than once" />
    <${Tile} name="Dead letters" value=${letters === undefined ? undefined : compact(letters)} hint="could not be read" />
    <${Tile} name="Storage" value=${known(bytes(streams?.bytes_used))} hint=${streams?.bytes_max ? `of ${bytes(streams.bytes_max)}` : ""} />
  </div>`;
}

/** The page. */
export function Bus({ route, standing }) {
  const streams = useData(url("streams"), { on: ["learned"], every: 10 });
  const replayed = route.query.get("replayed");
  const letters = useData(url("dead-letters", { replayed, after: route.query.get("after"), limit: 50 }), { on: ["dead_letter"], every: 30 });
  const readers = streams.data?.items.flatMap((stream) => stream.consumers.map((one) => ({ ...one, stream: stream.name })));
  const server = streams.data && `NATS ${streams.data.server_version} on ${streams.data.server}`;
  return html`<${Page} title="Bus" says=${server ?? "NATS JetStream"}>
    <${Totals} streams=${streams.data} letters=${standing.data?.dead_letters} />
    <${Card} title="Streams" flush><${Table} caption="Streams" columns=${STREAMS} rows=${streams.data?.items} keyOf=${(one) => one.name} error=${streams.error} retry=${streams.reload}
      empty=${html`<${Empty} icon="bus" title="There is no stream yet">centralcloud makes it as soon as NATS runs with JetStream.<//>`} /><//>
    ${readers?.length > 0 && html`<${Card} title="Readers" flush><${Table} caption="Readers" columns=${CONSUMERS} rows=${readers} keyOf=${(one) => `${one.stream} ${one.name}`} /><//>`}
    <${Card} title="Dead letters" says="kept as they came" flush acts=${html`<${Segments} name="replayed" label="Which" options=${[["", "Open"], ["true", "All"]]} />
        ${letters.data?.items.length > 0 && html`<button class="button slim" onClick=${() => replay(letters.reload)}>Replay all</button>`}`}>
      <${Table} caption="Dead letters" columns=${LETTERS} rows=${letters.data?.items} keyOf=${(one) => one.id} error=${letters.error} retry=${letters.reload}
        empty=${html`<${Empty} icon="check" title="No dead letters">Whatever arrived could be read.<//>`} />
      <${Pager} route=${route} next=${letters.data?.next} /><//><//>`;
}
