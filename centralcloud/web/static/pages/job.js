// One job: what it was asked, how its attempts went, what came of it.
import { part, post, url } from "../api.js";
import { attempt } from "../asks.js";
import { Badge } from "../components/badge.js";
import { Card, Facts, Page } from "../components/card.js";
import { Failure } from "../components/empty.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { moment, seconds } from "../format.js";
import { html } from "../html.js";

const ENDED = ["completed", "discarded", "cancelled"];

const Json = ({ of }) => html`<pre class="template">${JSON.stringify(of, null, 2)}</pre>`;

const Attempt = ({ of: { attempt: number, type, error, traceback, at } }) => html`
  <li class="bad"><div class="stack" style=${{ gap: "6px", flex: 1 }}>
    <span><strong>${number ? `Attempt ${number}` : "Failed"}</strong>${type ? ` · ${type}` : ""}: ${error}</span>
    ${traceback && html`<details><summary class="small quiet">Traceback</summary><pre class="template">${traceback}</pre></details>`}</div>
    <span class="faint small nowrap">${at && html`<${Ago} at=${at} />`}</span></li>`;

/** The page. */
export function Job({ route: { id } }) {
  const { data, error, reload } = useData(url(`jobs/${part(id)}`), { on: ["job"], every: 5 });
  const job = data?.job;
  const act = async (verb, done) => {
    if (await attempt(() => post(`jobs/${verb}`, { ids: [job.id] }), ({ changed }) => (changed ? done : "It is so already."))) reload();
  };
  const again = job && (ENDED.includes(job.state) || job.state === "retryable");
  return html`<${Page} back="jobs" title=${job ? `${job.kind} ${job.id}` : `Job ${id}`} says=${job && html`<${Badge} state=${job.state} />`}
    acts=${job && html`${again && html`<button class="button" onClick=${() => act("retry", "It will run again.")}>Retry</button>`}
      ${!ENDED.includes(job.state) && html`<button class="button danger" onClick=${() => act("cancel", "Cancelled.")}>Cancel</button>`}`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${job && html`<div class="columns"><div class="stack">
      ${data.errors.length > 0 && html`<${Card} title="Failed attempts"><ol class="timeline">${data.errors.map((one, index) => html`<${Attempt} key=${index} of=${one} />`)}</ol><//>`}
      <${Card} title="Asked for"><${Json} of=${data.args} /><//>
      ${data.result !== null && html`<${Card} title="Result"><${Json} of=${data.result} /><//>`}
    </div><${Card} title="About"><${Facts} of=${[
      ["Queue", job.queue],
      ["Attempt", `${job.attempt} of ${job.attempts_max}`],
      ["Priority", String(job.priority)],
      ["Worker", job.worker ?? "–"],
      ["Inserted", moment(job.inserted_at)],
      ["Due", moment(job.scheduled_at)],
      ["Began", moment(job.attempted_at)],
      ["Ended", moment(job.finished_at)],
      ["Took", seconds(job.took_seconds)],
      job.progress !== null && ["Progress", JSON.stringify(job.progress)],
      data.unique_key && ["Unique by", html`<code>${data.unique_key}</code>`],
    ]} /><//></div>`}<//>`;
}
