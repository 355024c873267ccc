// The whole page: frame, the page one is on, and what lies over it.
import { url } from "./api.js";
import { Help, Question, Toasts, TokenQuestion } from "./components/dialogs.js";
import { Palette } from "./components/palette.js";
import { useData } from "./data.js";
import { PAGES, Side, nextTheme } from "./frame.js";
import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { listenToKeys } from "./keys.js";
import { start } from "./live.js";
import { Bus } from "./pages/bus.js";
import { Insight } from "./pages/insight.js";
import { Insights } from "./pages/insights.js";
import { Instance } from "./pages/instance.js";
import { Instances } from "./pages/instances.js";
import { Job } from "./pages/job.js";
import { Jobs } from "./pages/jobs.js";
import { Overview } from "./pages/overview.js";
import { Pattern } from "./pages/pattern.js";
import { Patterns } from "./pages/patterns.js";
import { Results } from "./pages/results.js";
import { System } from "./pages/system.js";
import { route } from "./router.js";
import { useStore } from "./store.js";

const LISTS = { overview: Overview, instances: Instances, patterns: Patterns, insights: Insights, jobs: Jobs, results: Results, bus: Bus, system: System };
const DETAILS = { instances: Instance, patterns: Pattern, insights: Insight, jobs: Job };
const CONCERNS = ["learned", "insight", "instance", "leader", "dead_letter"];

function App() {
  const at = useStore(route);
  const [over, setOver] = useState(null);
  const standing = useData(url("overview"), { on: CONCERNS, every: 10 });
  useEffect(() => listenToKeys(setOver, nextTheme), []);
  useArrival(at);
  const Shown = (at.id && DETAILS[at.page]) || LISTS[at.page] || Overview;
  return html`
    <a class="skip" href="#main">Skip to content</a>
    <div class="frame">
      <${Side} page=${at.page} standing=${standing} openHelp=${() => setOver("help")} />
      <main id="main" class="main" tabindex="-1"><${Shown} key=${`${at.page}/${at.id}`} route=${at} standing=${standing} /></main>
    </div>
    ${over === "help" && html`<${Help} onClose=${() => setOver(null)} />`}
    ${over === "palette" && html`<${Palette} pages=${PAGES} onClose=${() => setOver(null)} />`}
    <${Question} /><${TokenQuestion} /><${Toasts} />`;
}

/** Who arrives on a page begins at its heading. */
function useArrival({ page, id }) {
  const first = useRef(true);
  useLayoutEffect(() => {
    const label = PAGES.find(([name]) => name === page)?.[1] ?? "Overview";
    document.title = `${id ? `${id.slice(0, 24)} · ` : ""}${label} · Flocklore`;
    if (!first.current) {
      scrollTo(0, 0);
      document.querySelector("#main h1")?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [page, id]);
}

render(html`<${App} />`, document.getElementById("app"));
start();
