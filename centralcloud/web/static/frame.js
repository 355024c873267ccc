// The navigation beside every page, and how things stand.
import { Badge } from "./components/badge.js";
import { Flock, Icon } from "./components/icons.js";
import { compact, seconds } from "./format.js";
import { html, useState, useEffect } from "./html.js";
import { connection } from "./live.js";
import { address } from "./router.js";
import { useStore } from "./store.js";
import { behind, tenant } from "./api.js";

/** Every page with its name and its key after "g". */
export const PAGES = [
  ["overview", "Overview", "o"],
  ["instances", "Instances", "i"],
  ["patterns", "Patterns", "p"],
  ["insights", "Insights", "n"],
  ["jobs", "Jobs", "j"],
  ["results", "Results", "r"],
  ["bus", "Bus", "b"],
  ["system", "System", "s"],
];

const THEMES = { auto: "as the system", light: "light", dark: "dark" };
const ICONS = { auto: "auto", light: "sun", dark: "moon" };

/** Turn to the next theme: as the system, light, dark. */
export function nextTheme() {
  const all = Object.keys(THEMES);
  window.flockloreTheme.choose(all[(all.indexOf(window.flockloreTheme.chosen()) + 1) % all.length]);
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(window.flockloreTheme.chosen());
  useEffect(() => {
    const changed = () => setTheme(window.flockloreTheme.chosen());
    addEventListener("themechange", changed);
    return () => removeEventListener("themechange", changed);
  }, []);
  return html`<button class="icon-button" onClick=${nextTheme} title=${`Theme: ${THEMES[theme]} (t)`} aria-label=${`Theme: ${THEMES[theme]}`} data-theme-switch>
    <${Icon} name=${ICONS[theme]} /></button>`;
}

const LINKS = { live: ["good", "Live"], connecting: ["idle", "Connecting"], waiting: ["warn", "Reconnecting"] };

function Connection({ failed }) {
  const state = useStore(connection);
  const [as, word] = failed && state !== "live" ? ["bad", "Not reachable"] : LINKS[state];
  return html`<span role="status" data-connection=${state} title=${word}><${Badge} as=${as}><span class="label">${word}</span><//></span>`;
}

function Behind() {
  const late = useStore(behind);
  return late > 0 && html`<span class="label faint clip" role="status" data-behind title="Read from a replica of the database">up to ${seconds(late)} behind</span>`;
}

/** Pages, whether it is live, who leads. */
export function Side({ page, standing: { data, error }, openHelp }) {
  const letters = data?.dead_letters ?? 0;
  return html`<header class="side">
    <a class="brand" href="/" aria-label="Flocklore, overview"><${Flock} /><span class="label" aria-hidden="true">Flocklore</span></a>
    <nav class="pages" aria-label="Pages">${PAGES.map(([name, label, key]) => html`
      <a key=${name} href=${address(name)} aria-current=${page === name ? "page" : null} title=${`${label} (g ${key})`}>
        <${Icon} name=${name} /><span class="label">${label}</span>
        ${name === "bus" && letters > 0 && html`<span class="note" title="Dead letters">${compact(letters)}<span class="unseen"> dead letters</span></span>`}</a>`)}</nav>
    <div class="side-foot">
      <${Connection} failed=${Boolean(error)} />
      <${Behind} />
      ${tenant() !== "default" && html`<span class="label faint clip">tenant ${tenant()}</span>`}
      <span class="tools"><${ThemeSwitch} />
        <button class="icon-button" onClick=${openHelp} title="Keys (?)" aria-label="Keys"><${Icon} name="help" /></button></span>
    </div>
  </header>`;
}
