// What every module that draws needs: tagged templates and hooks.
import { h, render, Fragment } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
export { Fragment, render };

/** Text in it is always text: nothing here ever sets innerHTML. */
export const html = htm.bind(h);
