// What wants attention now, read from the same data as the pages; each says where to look.
import { Card } from "../components/card.js";
import { Icon } from "../components/icons.js";
import { count, many, percent, seconds } from "../format.js";
import { html } from "../html.js";
import { address } from "../router.js";
import { late } from "./bus.js";

const FULL = 0.8;
const TO_MERGE_MAX = 5000;

const alert = (tone, text, to) => ({ tone, text, to });

function ofLead(leader) {
  const { leader: led, overlapping } = leader.data ?? {};
  return [
    leader.data && !led && alert("bad", "No hub leads: nothing is merged until one does.", address("system")),
    overlapping?.length && alert("bad", `Two held one lock at one time in the last day: ${overlapping.join(", ")}.`, address("system")),
  ];
}

function ofBus({ data, error }) {
  const readers = data?.items.flatMap(({ consumers }) => consumers) ?? [];
  const full = data?.items.filter((one) => one.bytes_max && one.bytes / one.bytes_max > FULL) ?? [];
  return [
    error && alert("bad", `The bus does not answer: ${error.message}`, address("bus")),
    ...readers.filter(late).map((one) => alert("warn", `${one.name} is ${seconds(one.lag_seconds)} behind, with ${many(one.lag, "message")} to go.`, address("bus"))),
    ...full.map((one) => alert("warn", `Stream ${one.name} is ${percent(one.bytes / one.bytes_max)} full.`, address("bus"))),
  ];
}

function ofFleet({ data, error }) {
  if (!data) return [error && alert("bad", error.message, "/")];
  const silent = ["suspect", "inactive"].reduce((sum, state) => sum + (data.instances[state] ?? 0), 0);
  return [
    data.dead_letters > 0 && alert("bad", `${many(data.dead_letters, "message")} could not be read.`, address("bus")),
    silent > 0 && alert("warn", `${many(silent, "instance")} fell silent.`, address("instances", "", { status: "suspect,inactive" })),
    data.quarantined + data.set_aside > 0 && alert("warn", `The word of ${many(data.quarantined + data.set_aside, "instance")} does not count.`, address("instances")),
    data.waiting > TO_MERGE_MAX && alert("warn", `${count(data.waiting)} patterns wait to be merged.`, address("patterns")),
  ];
}

const ofWork = ({ data: schedules }, { data: workers }) => [
  ...(schedules?.items ?? []).filter((one) => one.last_error).map((one) => alert("warn", `Schedule ${one.name} failed: ${one.last_error}`, address("system"))),
  workers && !workers.items.some(({ status }) => status === "online") && alert("bad", "No process of centralcloud runs jobs.", address("jobs")),
];

/** All alerts there are now, worst first. */
export function alerts({ standing, leader, streams, schedules, workers }) {
  const all = [...ofLead(leader), ...ofBus(streams), ...ofFleet(standing), ...ofWork(schedules, workers)].filter(Boolean);
  return all.sort((one, other) => one.tone.localeCompare(other.tone));
}

/** The card: alerts, or that there are none. */
export function Alerts(of) {
  const all = alerts(of);
  const loaded = of.standing.data && of.leader.data;
  return html`<${Card} title="Alerts" says=${loaded ? (all.length ? many(all.length, "thing") + " to look at" : "nothing needs attention") : ""}>
    <div class="stack" style=${{ gap: "8px" }}>${all.map(({ tone, text, to }) => html`
      <div key=${text} class=${`notice ${tone}`}><${Icon} name="warning" /><p>${text} <a href=${to}>Look</a></p></div>`)}
      ${loaded && !all.length && html`<div class="notice good"><${Icon} name="check" /><p>One hub leads, readers keep up, whatever arrived could be read.</p></div>`}</div><//>`;
}
