// Tables: sticky heads, rows to walk with j and k, cards on a narrow screen.
import { html } from "../html.js";
import { address } from "../router.js";
import { Failure, Skeleton } from "./empty.js";

const WAITING_ROWS = 6;

/**
 * `columns`: {label, cell(row), kind: "fit" | "number" | "" , plain}; `rows`: null while they are not there yet.
 * A caption for who listens is asked for; `empty` is drawn when there are no rows.
 */
export function Table({ caption, columns, rows, keyOf, empty = null, picked = null, error = null, retry = null }) {
  if (error && !rows) return html`<div class="card-body"><${Failure} error=${error} retry=${retry} /></div>`;
  if (rows && !rows.length) return empty;
  return html`<div class="table-wrap"><table class="table cards" role="table" aria-busy=${rows ? "false" : "true"}>
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(({ label, kind, head }) => html`
      <th key=${label} role="columnheader" scope="col" class=${kind ?? ""}>${head ?? label}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows
      ? rows.map((row) => html`<tr key=${keyOf(row)} role="row" class=${picked?.has(keyOf(row)) ? "picked" : ""}>
          ${columns.map(({ label, kind, cell, plain }) => html`
            <td key=${label} role="cell" class=${`${kind ?? "clip"}${plain ? " plain" : ""}`} data-label=${label}>${cell(row)}</td>`)}</tr>`)
      : Array.from({ length: WAITING_ROWS }, (_, index) => html`<tr key=${index} role="row">
          ${columns.map(({ label }, place) => html`<td key=${label} role="cell" class=${place ? "" : "plain"}><${Skeleton} width=${place ? 48 : 160} /></td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** The link that makes a row one to open. */
export const RowLink = ({ page, id, children, title = "" }) => html`
  <a class="row-link" href=${address(page, id)} title=${title}>${children}</a>`;

/** What follows a list that goes on; its place is in the address. */
export function Pager({ route, next }) {
  const { page, query } = route;
  const plain = Object.fromEntries(query);
  if (!next && !query.get("after")) return null;
  return html`<nav class="more" aria-label="Pages">
    ${query.get("after") && html`<a href=${address(page, "", { ...plain, after: "" })}>First page</a>`}
    ${next && html`<a href=${address(page, "", { ...plain, after: next })} rel="next">Next page</a>`}</nav>`;
}
