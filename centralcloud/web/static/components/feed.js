// What happens, newest first.
import { Ago } from "../clock.js";
import { html } from "../html.js";
import { sentence } from "../words.js";
import { Icon } from "./icons.js";

const FRESH_MS = 4000;

/** Items of activity {id, at, kind, instance, data}; who listens hears of new ones politely. */
export function Feed({ items, label }) {
  return html`<ol class="feed" aria-label=${label} aria-live="polite" aria-relevant="additions" tabindex="0">${items.map((item) => {
    const [tone, icon, text] = sentence(item);
    return html`<li key=${item.id} class=${`${tone} ${item.seen && Date.now() - item.seen < FRESH_MS ? "fresh" : ""}`}>
      <${Icon} name=${icon} size=${14} /><span>${text}</span><span class="faint nowrap"><${Ago} at=${item.at} /></span></li>`;
  })}</ol>`;
}

/** The same as points on a line, for one thing. */
export const Timeline = ({ items }) => html`<ol class="timeline">${items.map((item) => {
  const [tone, , text] = sentence(item);
  return html`<li key=${item.id} class=${tone}><span>${text}</span><span class="faint small nowrap"><${Ago} at=${item.at} /></span></li>`;
})}</ol>`;
