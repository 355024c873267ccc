// Where one is: the path names the page and perhaps one thing on it, the query holds its filters.
import { store } from "./store.js";

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // whoever typed it meant something else
  }
}

const read = () => {
  const [page = "", id = ""] = location.pathname.split("/").filter(Boolean).map(decoded);
  return { page: page || "overview", id, query: new URLSearchParams(location.search) };
};

export const route = store(read());

/** The address of a page, or of one thing on it; every part is encoded. */
export function address(page, id = "", query = {}) {
  const path = page === "overview" ? "/" : `/${encodeURIComponent(page)}`;
  const filled = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const search = new URLSearchParams(filled).toString();
  return path + (id ? `/${encodeURIComponent(id)}` : "") + (search ? `?${search}` : "");
}

/** Go to an address of ours. */
export function go(to, { replace = false } = {}) {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  route.set(read());
}

/** Change filters of this page; empty ones leave the address. */
export function filter(changes) {
  const { page, id, query } = route.get();
  go(address(page, id, { ...Object.fromEntries(query), after: "", ...changes }), { replace: true });
}

const ours = (link) =>
  link.origin === location.origin && !link.target && !link.hasAttribute("download") && !link.dataset.outside;

addEventListener("popstate", () => route.set(read()));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || !ours(link) || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
