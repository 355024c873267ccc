// Data of a page: asked for once, then again when an event concerns it or now and then; never while nobody looks.
import { get } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { listen } from "./live.js";

const PAUSE_MS = 700; // events come in bursts: one question for all of them
const KEPT_MAX = 60;
const seen = new Map(); // what was answered last, so that going back shows it at once

function keep(address, answer) {
  seen.delete(address);
  seen.set(address, answer);
  if (seen.size > KEPT_MAX) seen.delete(seen.keys().next().value);
}

/**
 * The answer of an address made by `url`, or null until it is there: {data, error, reload}.
 * `on`: kinds of events after which to ask again; `every`: seconds after which to ask again anyway.
 */
export function useData(address, { on = [], every = 0 } = {}) {
  const [state, setState] = useState({ address, data: seen.get(address) ?? null, error: null });
  const running = useRef(null);

  const load = useCallback(async () => {
    if (running.current) {
      running.current.again = true; // what is on its way may be older than what asks for it
      return;
    }
    const mine = (running.current = { stop: new AbortController(), again: true });
    while (mine.again && !mine.stop.signal.aborted) {
      mine.again = false;
      await ask(address, mine.stop.signal, setState);
    }
    if (running.current === mine) running.current = null;
  }, [address]);

  useEffect(() => {
    load();
    const stop = repeat(load, on, every);
    return () => {
      stop();
      running.current?.stop.abort();
      running.current = null;
    };
  }, [address, load, on.join(), every]);

  const fresh = state.address === address ? state : { data: seen.get(address) ?? null, error: null };
  return { data: fresh.data, error: fresh.error, reload: load };
}

async function ask(address, signal, told) {
  try {
    const data = await get(address, signal);
    keep(address, data);
    if (!signal.aborted) told({ address, data, error: null });
  } catch (error) {
    if (!signal.aborted) told({ address, data: seen.get(address) ?? null, error });
  }
}

/** Call `load` after events of these kinds and every so many seconds, but only while the page can be seen. */
function repeat(load, kinds, every) {
  let timer = 0;
  let due = false;
  const later = () => {
    due = true;
    timer ||= setTimeout(run, PAUSE_MS);
  };
  const run = () => {
    timer = 0;
    if (document.hidden || !due) return;
    due = false;
    load();
  };
  const stopListening = listen(({ kind }) => (kind === "resumed" || kinds.includes(kind)) && later());
  const ticker = every ? setInterval(later, every * 1000) : 0;
  document.addEventListener("visibilitychange", run);
  return () => {
    stopListening();
    clearInterval(ticker);
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", run);
  };
}
