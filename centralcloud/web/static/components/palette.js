// Search over everything: pages, instances, insights.
import { get, url } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { address, go } from "../router.js";
import { kindName, nameOf } from "../words.js";
import { Dialog } from "./dialogs.js";
import { Icon } from "./icons.js";

const PAUSE_MS = 150;
const SHOWN_MAX = 6;

const found = (icon, text, what, to) => ({ icon, text, what, to });

async function look(text, signal) {
  const query = { q: text, limit: SHOWN_MAX };
  const [instances, insights] = await Promise.all([get(url("instances", query), signal), get(url("insights", query), signal)]);
  return [
    ...instances.items.map((one) => found("instances", one.instance_id, one.status, address("instances", one.instance_id))),
    ...insights.items.map((one) => found("insights", nameOf(one), `${kindName(one.kind)} ${one.language}`, address("insights", one.id))),
  ];
}

/** The field and what it finds; Enter opens the first. */
export function Palette({ pages, onClose }) {
  const [text, setText] = useState("");
  const [more, setMore] = useState([]);
  const [at, setAt] = useState(0);

  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => look(text, stop.signal).then(setMore, () => setMore([])), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);

  const matching = pages.filter(([, label]) => label.toLowerCase().includes(text.toLowerCase()));
  const all = [...matching.map(([page, label]) => found(page, label, "page", address(page))), ...(text ? more : [])];
  const chosen = Math.min(at, all.length - 1);
  const open = (one) => {
    onClose();
    if (one) go(one.to);
  };
  const pressed = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") open(all[chosen]);
    else if (step) setAt((chosen + step + all.length) % Math.max(1, all.length));
    else return;
    event.preventDefault();
  };
  return html`<${Dialog} label="Search" className="palette" onClose=${onClose}>
    <input class="field" data-first role="combobox" aria-label="Search pages, instances and insights" aria-expanded="true" aria-controls="found"
      aria-activedescendant=${all.length ? `found-${chosen}` : null} placeholder="Search pages, instances and insights" value=${text}
      onInput=${({ target }) => { setText(target.value); setAt(0); }} onKeyDown=${pressed} />
    <ul id="found" role="listbox" aria-label="Found">${all.map((one, index) => html`
      <li key=${one.to} id=${`found-${index}`} role="option" aria-selected=${String(index === chosen)} onClick=${() => open(one)}>
        <${Icon} name=${one.icon} /><span class="clip">${one.text}</span><span class="what">${one.what}</span></li>`)}</ul><//>`;
}
