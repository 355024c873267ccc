// The first page: the loop, the numbers, their course, and what happens.
import { url } from "../api.js";
import { Badge } from "../components/badge.js";
import { Card, Page } from "../components/card.js";
import { Chart } from "../components/chart.js";
import { Empty, Failure } from "../components/empty.js";
import { Feed } from "../components/feed.js";
import { Segments } from "../components/filters.js";
import { Tile } from "../components/tile.js";
import { Ago } from "../clock.js";
import { useData } from "../data.js";
import { compact, figure, many, percent, seconds } from "../format.js";
import { html, useMemo } from "../html.js";
import { recent } from "../live.js";
import { address } from "../router.js";
import { useStore } from "../store.js";
import { Flow } from "./flow.js";

const SPANS = [["3600", "1 h"], ["21600", "6 h"], ["86400", "1 d"], ["604800", "7 d"]];
const SHOWN_MAX = 60;
const POINTS_MIN = 10; // of a chart, however young the fleet is

/** A course over the chosen time, or null while it is not there. */
const useSeries = (name, span) => useData(url("series", { name, seconds: span, points: 120 }), { every: 15 }).data;

/** Several courses as what a chart draws: from where the first of them begins. */
function charted(courses) {
  const all = Object.values(courses);
  if (!all.every(Boolean)) return {};
  const begins = all.map(({ values }) => values.findIndex((value) => value !== null)).filter((index) => index >= 0);
  const from = Math.max(0, Math.min(...begins, all[0].times.length - POINTS_MIN));
  const series = Object.entries(courses).map(([name, { values }]) => ({ name, values: values.slice(from) }));
  return { times: all[0].times.slice(from), series };
}

function Courses({ title, says, courses, format }) {
  const { times, series } = useMemo(() => charted(courses), Object.values(courses));
  const none = series?.every(({ values }) => values.every((value) => value === null));
  return html`<${Card} title=${title} says=${says}>${none
    ? html`<${Empty} icon="results" title="Nothing measured in this time yet">centralcloud measures every 30 s; two measurements make a line.<//>`
    : html`<${Chart} times=${times} series=${series} label=${title} format=${format} height=${176} />`}<//>`;
}

function Tiles({ data, courses }) {
  const { rates, adoption } = data ?? {};
  const online = data && (data.instances.online ?? 0);
  const absent = data && ["suspect", "inactive", "offline"].map((state) => [state, data.instances[state] ?? 0]).filter(([, number]) => number);
  return html`<div class="tiles" data-tiles>
    <${Tile} name="Instances online" value=${data && compact(online)} unit=${data ? `of ${compact(data.known_instances)}` : ""} to=${address("instances")}
      hint=${absent?.map(([state, number]) => `${number} ${state}`).join(", ") || "all of them are here"} course=${courses.instances?.values} />
    <${Tile} name="Patterns" value=${data && compact(data.patterns)} to=${address("patterns")} course=${courses.patterns?.values}
      hint=${data?.repositories === null ? "not counted yet" : data ? `in ${many(data.repositories, "repository", "repositories")}` : ""} />
    <${Tile} name="Insights" value=${data && compact(data.insights)} to=${address("insights")} course=${courses.known?.values}
      hint=${data ? `${compact(data.accepted)} accepted, ${compact(data.rejected)} rejected` : ""} />
    <${Tile} name="Learned" value=${rates && figure(rates.events)} unit=${rates?.events === null ? "" : "/min"} course=${courses.learned?.values}
      hint=${rates?.seconds ? `over ${seconds(rates.seconds)}` : "measured soon"} />
    <${Tile} name="Adoption" value=${adoption && percent(adoption.share)} hint=${adoption ? `${compact(adoption.up_to_date)} of ${compact(adoption.instances)} have the newest` : ""} />
    <${Tile} name="Learned to adopted" value=${adoption && seconds(adoption.p50_seconds)} hint=${adoption ? (adoption.p95_seconds === null ? "none applied today" : `95 % within ${seconds(adoption.p95_seconds)}`) : ""} />
  </div>`;
}

function Lead({ data }) {
  if (!data) return null;
  const { leader } = data;
  return leader
    ? html`<span class="inline"><${Badge} as="good">${leader.candidate} leads<//><span class="faint">epoch ${leader.epoch}, since <${Ago} at=${leader.since} /></span></span>`
    : html`<${Badge} as="bad">Nobody leads<//>`;
}

function LiveFeed() {
  const items = useStore(recent).slice(0, SHOWN_MAX);
  return html`<${Card} title="Live" says="as it happens" flush>${items.length
    ? html`<${Feed} items=${items} label="Live feed" />`
    : html`<${Empty} icon="learned" title="Nothing has happened yet">Start an instance with <code>flocklore instance run</code> in a codebase; what it learns appears here.<//>`}<//>`;
}

/** The page. */
export function Overview({ route, standing: { data, error, reload } }) {
  const span = route.query.get("span") ?? "3600";
  const courses = {
    learned: useSeries("learned", span),
    insights: useSeries("insights", span),
    applied: useSeries("applied", span),
    patterns: useSeries("patterns", span),
    known: useSeries("known_insights", span),
    instances: useSeries("instances", span),
    waiting: useSeries("waiting", span),
    letters: useSeries("letters", span),
  };
  const streams = useData(url("streams"), { every: 15 }).data;
  const waiting = streams ? streams.items.flatMap(({ consumers }) => consumers).reduce((sum, { lag }) => sum + lag, 0) : null;
  return html`<${Page} title="Overview" says=${html`<${Lead} data=${data} />`} acts=${html`<${Segments} name="span" label="Time" options=${SPANS} />`}>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    <section class="card"><div class="card-body" data-flow>${data ? html`<${Flow} overview=${data} waiting=${waiting} />` : html`<svg class="flow" viewBox="0 0 1080 148"></svg>`}</div></section>
    <${Tiles} data=${data} courses=${courses} />
    <div class="columns">
      <div class="halves">
        <${Courses} title="Learning" says="per minute" courses=${{ learned: courses.learned, insights: courses.insights, applied: courses.applied }} format=${figure} />
        <${Courses} title="Knowledge" says="patterns of some, insights for all" courses=${{ patterns: courses.patterns, insights: courses.known }} format=${compact} />
        <${Courses} title="Fleet" says="instances that are not offline" courses=${{ instances: courses.instances }} format=${compact} />
        <${Courses} title="Waiting" says="patterns to merge, dead letters" courses=${{ "to merge": courses.waiting, "dead letters": courses.letters }} format=${compact} />
      </div>
      <${LiveFeed} />
    </div><//>`;
}
