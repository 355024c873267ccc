// The keyboard: pages, rows, search, help. Nothing of it acts while one types.
import { address, go, route } from "./router.js";

const PAGES = { o: "overview", i: "instances", p: "patterns", n: "insights", j: "jobs", r: "results", b: "bus", s: "system" };
const CHORD_MS = 1500;

let begun = 0;

const typing = ({ target }) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
const rows = () => [...document.querySelectorAll("#main .row-link")];

/** Move to the next row (or the previous one, for -1). */
function walk(step) {
  const all = rows();
  const now = all.findIndex((link) => link === document.activeElement || link.closest("tr")?.contains(document.activeElement));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  next?.focus();
  next?.closest("tr, li")?.scrollIntoView({ block: "nearest" });
}

const pick = () => document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]")?.click();

function search(open) {
  const field = document.querySelector("#main [data-search]");
  if (field) field.select();
  else open("palette");
}

function back() {
  const { page, id } = route.get();
  if (id) go(address(page));
  else document.activeElement?.blur?.();
}

/** Listen; `open` shows what lies over the page ("help", "palette"), `turn` changes the theme. */
export function listenToKeys(open, turn) {
  const keys = { "/": () => search(open), "?": () => open("help"), j: () => walk(1), k: () => walk(-1), x: pick, t: turn, Escape: back };
  const pressed = (event) => {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (typing(event)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const chord = event.timeStamp - begun < CHORD_MS && PAGES[event.key];
    begun = event.key === "g" ? event.timeStamp : -CHORD_MS;
    const act = chord ? () => go(address(chord)) : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
