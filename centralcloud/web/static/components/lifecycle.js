// How far something has come, as steps; those still ahead are hollow.
import { Ago } from "../clock.js";
import { html } from "../html.js";
import { Mark } from "./icons.js";

/** The steps of an insight: {first_seen, shared, adopted, accepted, revoked}, null where it has not come yet. */
export function Lifecycle({ of, insight }) {
  const steps = [
    ["Candidate", of.first_seen, "one instance had it"],
    ["Insight", of.shared, "enough instances had it"],
    ["Adopted", of.adopted, insight.told ? `${insight.applied_by} of ${insight.told} have applied it` : "nobody is here"],
    ["Accepted", of.accepted, insight.accepted ? `by ${insight.accepted}` : "nobody has kept it by hand"],
    of.revoked && ["Revoked", of.revoked, "it counts no more", "bad"],
  ].filter(Boolean);
  return html`<ol class="steps">${steps.map(([name, at, says, tone]) => html`
    <li key=${name} class=${at ? "done" : ""}><span class=${`badge ${tone ?? (at ? "good" : "idle")}`}><${Mark} tone=${tone ?? (at ? "good" : "idle")} /><strong>${name}</strong></span>
      <span class="small quiet">${at ? html`<${Ago} at=${at} />` : "not yet"}</span><span class="small faint">${says}</span></li>`)}</ol>`;
}
