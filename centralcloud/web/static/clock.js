// One clock for the page: centralcloud's time, told again every second.
import { html, useEffect, useState } from "./html.js";
import { moment, relative } from "./format.js";
import { store } from "./store.js";

let ahead = 0; // milliseconds the server's clock is ahead of this machine's
const tick = store(Date.now());
setInterval(() => document.hidden || tick.set(now()), 1000);

/** Milliseconds since 1970 by centralcloud's clock, as well as a header that tells whole seconds can say. */
export const now = () => Date.now() + ahead;

/** Learn the server's time from the Date header of an answer. */
export function setClock(header) {
  const told = Date.parse(header ?? "");
  if (Number.isNaN(told)) return;
  const difference = told + 500 - Date.now();
  ahead = Math.abs(difference) < 1500 ? 0 : difference;
}

/** A moment as "12 s ago", ticking; the exact time when pointed at. */
export function Ago({ at }) {
  const [, redraw] = useState(0);
  useEffect(() => tick.watch(redraw), []);
  if (!at) return html`<span class="faint">never</span>`;
  return html`<time datetime=${at} title=${moment(at)}>${relative((now() - Date.parse(at)) / 1000)}</time>`;
}
