// Everything that is laid over the page: questions, the token, help, toasts.
import { asking } from "../api.js";
import { question, toasts } from "../asks.js";
import { html, useEffect, useRef } from "../html.js";
import { useStore } from "../store.js";
import { Icon } from "./icons.js";

/** A modal dialog of the browser: it holds the focus, and Escape closes it, unless `onClose` is null: then it stays. */
export function Dialog({ onClose, label, className = "", children }) {
  const place = useRef(null);
  useEffect(() => {
    place.current.showModal();
    place.current.querySelector("[data-first]")?.focus();
  }, []);
  const outside = (event) => event.target === place.current && onClose?.();
  const closed = () => (onClose ? onClose() : place.current.showModal());
  return html`<dialog ref=${place} class=${className} aria-label=${label} onClose=${closed} onClick=${outside}>${children}</dialog>`;
}

/** The question a page asks, with a field when it wants a word for it. */
export function Question() {
  const asked = useStore(question);
  const field = useRef(null);
  if (!asked) return null;
  const close = (answer) => {
    question.set(null);
    asked.answer(answer);
  };
  const submit = (event) => {
    event.preventDefault();
    close(asked.input ? { text: field.current.value.trim() } : true);
  };
  return html`<${Dialog} label=${asked.title} onClose=${() => question.get() && close(false)}>
    <form onSubmit=${submit}>
      <h2>${asked.title}</h2>
      <p class="quiet">${asked.text}</p>
      ${asked.input && html`<label>${asked.input.label}<input class="field" ref=${field} type=${asked.input.type ?? "text"} min=${asked.input.min} max=${asked.input.max}
        required=${asked.input.required} maxlength="200" defaultValue=${asked.input.value ?? ""} data-first /></label>`}
      <div class="acts"><button class="button" type="button" onClick=${() => close(false)}>Cancel</button>
        <button class=${`button first ${asked.danger ? "danger" : ""}`} type="submit" data-first=${asked.input ? null : true}>${asked.action}</button></div>
    </form><//>`;
}

/** Ask for the token when the server wants one. */
export function TokenQuestion() {
  const asked = useStore(asking);
  const field = useRef(null);
  if (!asked) return null;
  const submit = (event) => {
    event.preventDefault();
    if (field.current.value.trim()) asked.answer(field.current.value.trim());
  };
  return html`<${Dialog} label="Token" onClose=${null}>
    <form onSubmit=${submit}>
      <h2><span class="inline"><${Icon} name="lock" /> This centralcloud wants a token</span></h2>
      <p class="quiet">It is the value of <code>http_token</code> (or <code>http_read_token</code>) in its settings. It stays in this tab and is forgotten with it.</p>
      ${asked.refused && html`<p class="notice bad" role="alert"><${Icon} name="warning" /> The one you gave is not known here.</p>`}
      <input class="unseen" type="text" autocomplete="username" value="flocklore" readonly tabindex="-1" aria-hidden="true" />
      <label>Token<input class="field" ref=${field} type="password" autocomplete="current-password" required data-first /></label>
      <div class="acts"><button class="button first" type="submit">Continue</button></div>
    </form><//>`;
}

const KEYS = [
  ["/", "search"],
  ["g then o i p n j r b s", "overview, instances, patterns, insights, jobs, results, bus, system"],
  ["j  k", "next and previous row"],
  ["Enter", "open the row"],
  ["x", "select the row (jobs)"],
  ["Esc", "close, or back to the list"],
  ["t", "light, dark, as the system"],
  ["?", "this help"],
];

/** The keys there are. */
export const Help = ({ onClose }) => html`
  <${Dialog} label="Keys" onClose=${onClose}><div class="inner"><h2>Keys</h2>
    <dl class="keys">${KEYS.map(([keys, does]) => html`<dt key=${keys}>${keys.split(" ").filter(Boolean).map((key) => (key === "then" ? " then " : html`<kbd>${key}</kbd> `))}</dt><dd>${does}</dd>`)}</dl>
    <form method="dialog" class="acts"><button class="button" data-first>Close</button></form></div><//>`;

/** Messages that come and go; read aloud when they come. */
export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">${shown.map(({ id, tone, text }) => html`
    <div key=${id} class=${`notice ${tone}`}><${Icon} name=${tone === "bad" ? "warning" : "check"} /><p>${text}</p></div>`)}</div>`;
}
