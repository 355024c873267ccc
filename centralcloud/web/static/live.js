// What happens, as it happens: one stream for the whole page, resumed where it broke off.
import { askToken, authorization, url } from "./api.js";
import { read } from "./events.js";
import { store } from "./store.js";

const SILENCE_SECONDS_MAX = 40; // the server says something every 15 s
const PAUSE_SECONDS_MAX = 15;
const KEPT_MAX = 200;
const SETTLED_MS = 1500; // what comes in the first moments was before us
const REPLAYED = 60; // of what was before us

/** "connecting", "live" or "waiting" (until the next try). */
export const connection = store("connecting");

/** The last events, newest first: {id, kind, at, instance, data, seen: when it came, 0 for what was before us}. */
export const recent = store([]);

const listeners = new Set();
let lastId = "";
let pauseSeconds = 2; // unless the server says otherwise
let failures = 0; // since it last went well
let began = 0;
let wake = () => {};

/** Be called with every event, and with {kind: "resumed"} after a gap; returns how to stop. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Connect, and connect again for as long as the page is open. */
export async function start() {
  addEventListener("online", () => wake());
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  for (let again = false; ; again = true) {
    await follow(again).catch(() => {});
    connection.set("waiting");
    await pause();
    failures += 1;
  }
}

async function follow(again) {
  const stop = new AbortController();
  let heard = Date.now();
  const watch = setInterval(() => Date.now() - heard > SILENCE_SECONDS_MAX * 1000 && stop.abort(), 5000);
  try {
    const answer = await fetch(url("events", { replay: lastId ? "" : REPLAYED }), { headers: headers(), signal: stop.signal, cache: "no-store" });
    if (answer.status === 401) {
      await askToken();
      return follow(again);
    }
    if (!answer.ok) return undefined;
    connection.set("live");
    began = Date.now();
    failures = 0;
    if (again) tell({ kind: "resumed" });
    for await (const event of read(answer.body)) {
      heard = Date.now();
      take(event);
    }
    return undefined;
  } finally {
    clearInterval(watch);
    stop.abort();
  }
}

const headers = () => ({
  Accept: "text/event-stream",
  ...(lastId ? { "Last-Event-ID": lastId } : {}),
  ...authorization(),
});

function take({ id, event, data, retry }) {
  if (retry) pauseSeconds = Number(retry) / 1000;
  if (id) lastId = id;
  if (!data) return;
  const { at, tenant, instance = null, ...rest } = JSON.parse(data);
  const told = { id, kind: event, at, tenant, instance, data: rest, seen: Date.now() - began > SETTLED_MS ? Date.now() : 0 };
  recent.set([told, ...recent.get()].slice(0, KEPT_MAX));
  tell(told);
}

const tell = (event) => listeners.forEach((listener) => listener(event));

function pause() {
  const wanted = Math.min(pauseSeconds * 1.5 ** failures, PAUSE_SECONDS_MAX);
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wanted * 1000);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
