// Asking centralcloud: JSON in, JSON out, one kind of error. The token, if there is one, lives as long as the tab.
import { setClock } from "./clock.js";
import { store } from "./store.js";

const TOKEN = "flocklore.token";
const TENANT = "flocklore.tenant";
const STALE = "flocklore-stale-seconds";
const WAIT_SECONDS = 10;
const WRITTEN_MS = 10_000; // after a change everything is read where it was made: a replica shows it a little later

/** What went wrong, in the words and with the code of the server. */
class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? (status ? `the server answered ${status}` : "centralcloud cannot be reached"));
    this.status = status;
    this.code = body?.code ?? "UNREACHABLE";
  }
}

/** Whether a token is asked for: `null`, or {answer: what takes it, refused: whether there was one already}. */
export const asking = store(null);

const kept = (name) => sessionStorage.getItem(name) ?? "";
const chosen = new URLSearchParams(location.search).get("tenant");
if (chosen) sessionStorage.setItem(TENANT, chosen);

/** For how many seconds what was answered last may have been out of date: it came from a replica of the database. */
export const behind = store(0);

/** The tenant all of this is about. */
export const tenant = () => kept(TENANT) || "default";

/** The headers that say who asks. */
export const authorization = () => (kept(TOKEN) ? { Authorization: `Bearer ${kept(TOKEN)}` } : {});

/** An address of the API (or, with a slash, of the server) with its query; what is empty is left out, everything is encoded. */
export function url(path, query = {}) {
  const told = { ...query, tenant: tenant() === "default" ? "" : tenant() };
  const filled = Object.entries(told).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(filled).toString();
  return `${path.startsWith("/") ? path : `/api/v1/${path}`}${search ? `?${search}` : ""}`;
}

/** Part of a path, encoded. */
export const part = encodeURIComponent;

let asked = null;
let wroteAt = -Infinity;

/** Ask the person for a token, once however many requests were refused; resolves when one was typed. */
export function askToken() {
  asked ??= new Promise((resolve) => {
    const answer = (token) => {
      sessionStorage.setItem(TOKEN, token);
      asking.set(null);
      asked = null;
      resolve();
    };
    asking.set({ answer, refused: kept(TOKEN) !== "" });
  });
  return asked;
}

const current = () => (performance.now() - wroteAt < WRITTEN_MS ? { "Cache-Control": "no-cache" } : {});

async function once(address, { waits = WAIT_SECONDS, ...options }) {
  const deadline = AbortSignal.timeout(waits * 1000);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  try {
    return await fetch(address, { ...options, signal, headers: { ...options.headers, ...authorization(), ...current() } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, null);
  }
}

async function answered(address, options) {
  const used = kept(TOKEN);
  const answer = await once(address, options);
  if (answer.status === 401) {
    if (kept(TOKEN) === used) await askToken(); // otherwise it was typed meanwhile
    return answered(address, options);
  }
  setClock(answer.headers.get("date"));
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, body?.error);
  if (answer.headers.has(STALE)) behind.set(Math.floor(Number(answer.headers.get(STALE))));
  return body;
}

/** GET an address made by `url`. */
export const get = (address, signal) => answered(address, { signal, headers: { Accept: "application/json" } });

/** POST something to a path of the API; `waits`: seconds, for what takes longer. */
export const post = (path, body = {}, waits = WAIT_SECONDS) =>
  answered(url(path), {
    method: "POST",
    waits,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).finally(() => (wroteAt = performance.now()));
