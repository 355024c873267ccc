// The frame of a page and of what stands on it.
import { html } from "../html.js";
import { address } from "../router.js";
import { Icon } from "./icons.js";

/** A page: its head stays in sight; `back` is the page of the list it belongs to. */
export const Page = ({ title, says = null, acts = null, back = null, children }) => html`
  <div class="page-head">
    ${back && html`<a class="icon-button back" href=${address(back)} aria-label=${`Back to ${back}`} title="Back (Esc)"><${Icon} name="back" /></a>`}
    <h1 tabindex="-1">${title}</h1>
    ${says && html`<div class="says">${says}</div>`}
    ${acts && html`<div class="acts">${acts}</div>`}
  </div>
  <div class="stack">${children}</div>`;

/** A card with a heading. */
export const Card = ({ title, says = null, acts = null, flush = false, children }) => html`
  <section class="card">
    ${title && html`<div class="card-head"><h2>${title}</h2>${says && html`<span class="faint small">${says}</span>`}
      ${acts && html`<div class="acts">${acts}</div>`}</div>`}
    <div class=${`card-body${flush ? " flush" : ""}`}>${children}</div>
  </section>`;

/** Facts as names and values. */
export const Facts = ({ of }) => html`
  <dl class="facts">${of.filter(Boolean).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
