// A chart over time. The canvas cannot read the colours of the style sheet by itself: a probe resolves them.
import uPlot from "../vendor/uplot.mjs";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { Skeleton } from "./empty.js";
import { figure } from "../format.js";

const LONG_SECONDS = 2 * 86_400; // from here on a clock alone does not tell when
const FONT = '11px "Inter Variable", Inter, system-ui, sans-serif';

/** The colour a custom property stands for now, as the canvas understands it. */
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

const faded = (resolved, share) => resolved.replace("rgb(", "rgba(").replace(")", `, ${share})`);

function shade(chart, stroke) {
  const { top, height } = chart.bbox;
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + Math.max(1, height));
  gradient.addColorStop(0, faded(stroke, 0.2));
  gradient.addColorStop(1, faded(stroke, 0));
  return gradient;
}

function line({ name }, index) {
  const stroke = colour(`--series-${index + 1}`);
  return {
    label: name,
    stroke,
    width: 1.75,
    fill: index === 0 ? (chart) => shade(chart, stroke) : undefined,
    points: { show: (chart, of) => chart.data[of].filter((value) => value !== null).length < 2, size: 5, fill: stroke },
    spanGaps: false,
  };
}

function options(series, width, height, { format, tick, hover }) {
  const axis = { stroke: colour("--ink-3"), font: FONT, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
  return {
    width,
    height,
    padding: [8, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.12 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 26, values: (_, ticks) => ticks.map(tick) },
      { ...axis, size: 48, space: 36, values: (_, ticks) => ticks.map(format) },
    ],
    series: [{}, ...series.map(line)],
    hooks: { setCursor: [({ cursor }) => hover(cursor.idx ?? null)] },
  };
}

const clockText = (at) => new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayText = (at) => new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const dayAndClockText = (at) => new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const last = (values) => values.findLast((value) => value !== null) ?? null;

/** Lines over time: `times` in seconds since 1970, `series` of {name, values}; null is a gap. */
export function Chart({ times, series, height = 180, format = figure, days = false, label }) {
  const place = useRef(null);
  const chart = useRef(null);
  const [at, setAt] = useState(null);
  const [theme, setTheme] = useState(0);
  const atText = days ? dayText : times && times.at(-1) - times[0] > LONG_SECONDS ? dayAndClockText : clockText;
  const names = series?.map(({ name }) => name).join();

  useEffect(() => {
    const again = () => setTheme((before) => before + 1);
    addEventListener("themechange", again);
    return () => removeEventListener("themechange", again);
  }, []);

  useLayoutEffect(() => {
    if (!times) return undefined;
    const wide = () => place.current.clientWidth;
    const made = new uPlot(options(series, wide(), height, { format, tick: atText, hover: setAt }), [times, ...series.map(({ values }) => values)], place.current);
    chart.current = made;
    const watch = new ResizeObserver(() => wide() && wide() !== made.width && made.setSize({ width: wide(), height }));
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [names, height, theme, atText, !times]);

  useLayoutEffect(() => {
    if (times && chart.current) chart.current.setData([times, ...series.map(({ values }) => values)]);
  }, [times, series]);

  const shown = (values) => format(at === null ? last(values) : values[at]);
  const says = series?.map(({ name, values }) => `${name} ${format(last(values))}`).join(", ") ?? "";
  return html`<div class="stack" style=${{ gap: "4px" }}>
    <div class="legend">${series?.map(({ name, values }, index) => html`
      <span key=${name}><i class=${`s${index + 1}`}></i>${name} <b>${shown(values)}</b></span>`) ?? html`<${Skeleton} width=${120} />`}
      ${times && html`<span class="faint">${at === null ? "latest" : atText(times[at])}</span>`}</div>
    <div class="chart" ref=${place} style=${{ height: `${height}px` }} role="img" aria-label=${`${label}: ${says}`}></div>
  </div>`;
}
