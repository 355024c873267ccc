// A small line beside a number: where it came from.
import { html } from "../html.js";

/** The course of some values, the last one marked; null values are gaps that are drawn over. */
export function Sparkline({ values, width = 60, height = 24 }) {
  const known = (values ?? []).filter((value) => value !== null);
  if (known.length < 2) return null;
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const points = known.map((value, index) => [
    ((index / (known.length - 1)) * (width - 4) + 2).toFixed(1),
    (height - 3 - ((value - low) / span) * (height - 6)).toFixed(1),
  ]);
  const [x, y] = points.at(-1);
  return html`<svg class="spark" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} fill="none" aria-hidden="true">
    <polyline points=${points.map((point) => point.join(",")).join(" ")} stroke="var(--accent)" stroke-width="1.4" stroke-linejoin="round" opacity=".75" />
    <circle cx=${x} cy=${y} r="2" fill="var(--accent)" /></svg>`;
}
