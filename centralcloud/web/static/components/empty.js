// What is shown where there is nothing: yet, or because something is wrong.
import { html } from "../html.js";
import { Icon } from "./icons.js";

/** Nothing here, and what to do about it. */
export const Empty = ({ icon = "search", title, children }) => html`
  <div class="empty"><${Icon} name=${icon} size=${24} /><strong>${title}</strong>${children && html`<p>${children}</p>`}</div>`;

/** What went wrong, with the way on. */
export const Failure = ({ error, retry }) => html`
  <div class="notice bad" role="alert"><${Icon} name="warning" /><p>${error.message}
    ${retry && html` <button class="button slim" onClick=${() => retry()}>Try again</button>`}</p></div>`;

/** A place that is about to be filled; it has the size of what will be there. */
export const Skeleton = ({ width = 80 }) => html`<span class="skeleton" style=${{ width: `${width}px` }}></span>`;
