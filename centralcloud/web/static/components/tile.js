// Numbers that matter, side by side.
import { html } from "../html.js";
import { Skeleton } from "./empty.js";
import { Sparkline } from "./sparkline.js";

/** One number: what it is, its value (undefined while it is not there yet), a hint, perhaps its course. */
export function Tile({ name, value, unit = "", hint = "", course = null, to = null }) {
  const inside = html`<span class="name">${name}</span>
    <span class="value">${value === undefined ? html`<${Skeleton} width=${56} />` : html`${value}${unit && html`<small>${unit}</small>`}`}</span>
    <span class="hint">${hint}</span>${course && html`<${Sparkline} values=${course} />`}`;
  return to ? html`<a class="tile" href=${to}>${inside}</a>` : html`<div class="tile">${inside}</div>`;
}
