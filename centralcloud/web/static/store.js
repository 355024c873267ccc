// A value that components can watch.
import { useEffect, useState } from "./html.js";

/** Make a store: `get`, `set` (tells everybody when it changed) and `watch` (returns how to stop). */
export function store(value) {
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The value of a store, drawn again whenever it changes. */
export function useStore(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get()); // it may have changed between drawing and now
    return source.watch(setValue);
  }, [source]);
  return value;
}
