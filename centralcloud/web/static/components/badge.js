// The state of a thing as a shape, a colour and a word.
import { html } from "../html.js";
import { Mark } from "./icons.js";

const TONES = {
  good: ["online", "active", "completed", "ok", "healthy", "succeeded", "ready", "leading", "enabled", "helped", "alive", "running"],
  busy: ["executing", "scheduled", "available", "candidate", "broadcast", "draining"],
  warn: ["suspect", "retryable", "paused", "degraded", "late", "away", "stale", "doubted", "warning", "disabled"],
  bad: ["offline", "inactive", "discarded", "failed", "revoked", "harmful", "down", "dead", "quarantined", "unhealthy", "error", "critical"],
};

const tone = (word) => Object.keys(TONES).find((name) => TONES[name].includes(word)) ?? "idle";

/** A badge for a state; `as` gives another tone than the word has. */
export const Badge = ({ state, as = null, children = null }) => html`
  <span class=${`badge ${as ?? tone(state)}`}><${Mark} tone=${as ?? tone(state)} />${children ?? state}</span>`;

/** Some words as tags, the rest as a number. */
export function Tags({ words, max = 3 }) {
  if (!words?.length) return html`<span class="faint">–</span>`;
  const rest = words.length - max;
  return html`<span class="tags">${words.slice(0, max).map((word) => html`<span class="tag" key=${word}>${word}</span>`)}
    ${rest > 0 && html`<span class="tag" title=${words.slice(max).join(", ")}>+${rest}</span>`}</span>`;
}
