// A share with the interval it lies in, drawn from 0 to 1.
import { html } from "../html.js";
import { NONE, percent } from "../format.js";

const WIDTH = 100;

/** `value` as a line, from `low` to `high` as a band; all of them shares of one. */
export function Interval({ value, low, high, label = "", of = null }) {
  if (value === null || value === undefined) return html`<span class="faint">${NONE}</span>`;
  const says = `${label} ${percent(value)}, between ${percent(low)} and ${percent(high)}${of ? `, of ${of}` : ""}`.trim();
  return html`<span class="interval" role="img" aria-label=${says} title=${says}>
    <svg viewBox=${`0 0 ${WIDTH} 12`} preserveAspectRatio="none">
      <line class="track" x1="0" x2=${WIDTH} y1="6" y2="6" vector-effect="non-scaling-stroke" />
      <line class="range" x1=${low * WIDTH} x2=${Math.max(high * WIDTH, low * WIDTH + 1)} y1="6" y2="6" vector-effect="non-scaling-stroke" />
      <line class="point" x1=${value * WIDTH} x2=${value * WIDTH} y1="0" y2="12" vector-effect="non-scaling-stroke" />
    </svg>
    <span class="says" aria-hidden="true">${percent(value)}</span>
  </span>`;
}

/** How full something is. */
export const Meter = ({ share, label }) => html`
  <span class=${`meter ${share > 0.9 ? "bad" : share > 0.7 ? "warn" : ""}`} role="img" aria-label=${`${label} ${percent(share)}`}>
    <i style=${{ width: `${Math.min(100, share * 100)}%` }}></i></span>`;
