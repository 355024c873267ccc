// Filters: all of them live in the address, so that a view can be sent to somebody.
import { html, useEffect, useRef, useState } from "../html.js";
import { filter, route } from "../router.js";
import { useStore } from "../store.js";
import { Icon } from "./icons.js";

const PAUSE_MS = 250;

/** A field that narrows the list while one types. */
export function Search({ name = "q", placeholder }) {
  const told = useStore(route).query.get(name) ?? "";
  const [text, setText] = useState(told);
  const timer = useRef(0);
  useEffect(() => setText(told), [told]);
  const typed = ({ target }) => {
    setText(target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => filter({ [name]: target.value.trim() }), PAUSE_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<label class="search"><span class="unseen">${placeholder}</span><${Icon} name="search" size=${14} />
    <input class="field" type="search" data-search value=${text} onInput=${typed} placeholder=${placeholder} autocomplete="off" spellcheck=${false} />
    <kbd aria-hidden="true">/</kbd></label>`;
}

/** One choice of a few: [[value, label]]; the first is what holds when none is in the address. */
export function Segments({ name, options, label }) {
  const [[first]] = options;
  const told = useStore(route).query.get(name) ?? first;
  return html`<div class="segments" role="group" aria-label=${label}>${options.map(([value, text]) => html`
    <button key=${value} type="button" aria-pressed=${String(value === told)} onClick=${() => filter({ [name]: value === first ? "" : value })}>${text}</button>`)}</div>`;
}

/** One choice of many: [[value, label]]. */
export function Select({ name, options, label, all }) {
  const told = useStore(route).query.get(name) ?? "";
  const known = options.some(([value]) => value === told) || !told ? options : [[told, told], ...options];
  return html`<label><span class="unseen">${label}</span>
    <select class="field" value=${told} onChange=${({ target }) => filter({ [name]: target.value })}>
      <option value="">${all}</option>${known.map(([value, text]) => html`<option key=${value} value=${value} selected=${value === told}>${text}</option>`)}
    </select></label>`;
}
