// What things are called: kinds, patterns, and what happened, in words.
import { brief, count, many } from "./format.js";
import { html } from "./html.js";
import { address } from "./router.js";

const KINDS = {
  "code.pattern": "code",
  "architecture.pattern": "architecture",
  "data.schema": "data",
  "technology.framework": "framework",
  "technology.dependency": "dependency",
  "technology.language": "language",
};

/** A kind in one word. */
export const kindName = (kind) => KINDS[kind] ?? kind.split(".").at(-1);

/** The kinds a list can be narrowed to. */
export const kinds = Object.keys(KINDS);

/** What to call a pattern or an insight: its name, its shape, or the beginning of its fingerprint. */
export const nameOf = ({ name, template, fingerprint, id }) =>
  name || template || `pattern ${brief(fingerprint ?? id)}`;

/** A name, in the type of code when it is a shape of code. */
export const Title = ({ of }) => html`<span class=${!of.name && of.template ? "mono" : ""}>${nameOf(of)}</span>`;

/** A link to an instance. */
export const InstanceLink = ({ name }) => html`<a href=${address("instances", name)}>${name}</a>`;

/** A link to an insight by its id. */
export const InsightLink = ({ id, children }) => html`<a href=${address("insights", id)}>${children ?? html`<code>${brief(id)}</code>`}</a>`;

const list = (parts) => parts.filter(Boolean).join(", ");

const learned = ({ events, patterns, forgotten, results, opinions }) =>
  list([
    patterns ? `learned ${many(patterns, "pattern")}` : "",
    forgotten ? `forgot ${count(forgotten)}` : "",
    results ? `reported ${many(results, "result")}` : "",
    opinions ? `gave ${many(opinions, "opinion")}` : "",
  ]) || `sent ${many(events, "report")}`;

const insight = ({ id, state, changed, revoked }) =>
  id
    ? html`<${InsightLink} id=${id}>An insight<//> ${state === "revoked" ? "was revoked" : "changed"}`
    : list([changed ? `${many(changed, "insight")} changed` : "", revoked ? `${count(revoked)} revoked` : ""]) || "insights merged";

const SENTENCES = {
  learned: ({ instance, data }) => [data.patterns ? "busy" : "idle", "learned", html`<${InstanceLink} name=${instance} /> ${learned(data)}`],
  insight: ({ data }) => [data.state === "revoked" || data.revoked ? "warn" : "good", "insights", insight(data)],
  instance: ({ instance, data }) => [
    { online: "good", suspect: "warn", inactive: "bad", offline: "bad" }[data.status] ?? "idle",
    "instances",
    (data.quarantined ?? null) !== null
      ? html`<${InstanceLink} name=${instance} /> ${data.quarantined ? "was put in quarantine" : "is trusted again"}`
      : html`<${InstanceLink} name=${instance} /> is ${data.status}${data.was ? html` <span class="faint">after ${data.was}</span>` : ""}`,
  ],
  leader: ({ data }) =>
    data.ended ? ["warn", "crown", `${data.hostname} leads no more (${data.ended})`] : ["good", "crown", `${data.hostname} leads, epoch ${data.epoch}`],
  dead_letter: ({ data }) => ["bad", "warning", `${many(data.letters, "message")} could not be read`],
  job: ({ data }) => [
    { completed: "good", discarded: "bad", cancelled: "warn" }[data.state] ?? "busy",
    "jobs",
    html`<a href=${address("jobs", String(data.id))}>${data.kind}</a> is ${data.state}`,
  ],
  schedule: ({ data }) => [data.failed ? "bad" : "idle", "clock", `${data.name} ${data.failed ? "failed" : "ran"}`],
};

/** What happened as [tone, icon, sentence]; from the feed and from the list of activity alike. */
export function sentence({ kind, instance, data }) {
  return (SENTENCES[kind] ?? (() => ["idle", "clock", kind]))({ instance, data });
}
