// Icons and marks: 16 x 16, drawn with the colour of the text around them.
import { html } from "../html.js";

const LINES = {
  overview: ["M2.5 13.500h11", "M4 11V8", "M8 11V3", "M12 11V6"],
  instances: ["M2.500 3h11v4h-11z", "M2.500 9h11v4h-11z", "M5 5h.01", "M5 11h.01"],
  patterns: ["M8 2.200 13.500 5 8 7.800 2.500 5z", "M2.500 8 8 10.800 13.500 8", "M2.500 11 8 13.800 13.500 11"],
  insights: ["M8 1.800a4.300 4.300 0 0 0-2.400 7.900V11h4.800V9.700A4.300 4.300 0 0 0 8 1.800z", "M6.300 13.800h3.400"],
  jobs: ["M3 3.500h2v2H3z", "M3 10.500h2v2H3z", "M7.500 4.500H13", "M7.500 11.500H13", "M7.500 8H13", "M3 8h2"],
  results: ["M2.500 2.500v11h11", "M5 10l2.600-3 2.400 1.800L13.300 5"],
  bus: ["M2 5.500h9.500", "M9 3l2.500 2.500L9 8", "M14 10.500H4.500", "M7 8l-2.500 2.500L7 13"],
  system: ["M8 5.700a2.300 2.300 0 1 0 0 4.600 2.300 2.300 0 0 0 0-4.600z", "M8 1.800v1.700M8 12.500v1.700M1.800 8h1.700M12.500 8h1.700M3.600 3.600l1.200 1.200M11.200 11.200l1.200 1.200M3.600 12.400l1.200-1.200M11.200 4.800l1.200-1.200"],
  search: ["M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z", "M10.300 10.300 13.500 13.500"],
  back: ["M9.500 3.500 5 8l4.500 4.500"],
  sun: ["M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600z", "M8 1.500v1.300M8 13.200v1.300M1.500 8h1.300M13.200 8h1.300M3.400 3.400l.9.9M11.700 11.700l.9.9M3.400 12.600l.9-.9M11.700 4.300l.9-.9"],
  moon: ["M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500z"],
  auto: ["M8 2.500a5.500 5.500 0 1 0 0 11z", "M8 2.500a5.500 5.500 0 0 1 0 11", "M8 2.500v11"],
  help: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M6.300 6.200c.2-2 3.400-1.900 3.300 0 0 1.300-1.600 1.300-1.600 2.700", "M8 11.300h.01"],
  warning: ["M8 2.500 14 13H2z", "M8 6.500v3", "M8 11.300h.01"],
  check: ["M3 8.500 6.500 12 13 4.500"],
  learned: ["M8 13V4", "M4.500 7.500 8 4l3.500 3.500"],
  adopted: ["M8 3v9", "M4.500 8.500 8 12l3.500-3.500"],
  crown: ["M2.500 5 5 8l3-4.500L11 8l2.500-3-1 7h-9z"],
  clock: ["M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11z", "M8 5v3l2 1.500"],
  lock: ["M4 7.500h8v6H4z", "M5.500 7.500V5.300a2.500 2.500 0 0 1 5 0v2.200"],
};

/** An icon by its name; it says nothing to who listens. */
export const Icon = ({ name, size = 16 }) => html`
  <svg width=${size} height=${size} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    ${LINES[name].map((line) => html`<path d=${line} />`)}
  </svg>`;

const SHAPES = {
  good: html`<circle cx="5" cy="5" r="4" fill="currentColor" />`,
  warn: html`<path d="M5 .8 9.500 9h-9z" fill="currentColor" />`,
  bad: html`<path d="M5 .3 9.700 5 5 9.700.3 5z" fill="currentColor" />`,
  idle: html`<circle cx="5" cy="5" r="3.200" fill="none" stroke="currentColor" stroke-width="1.600" />`,
  busy: html`<circle cx="5" cy="5" r="3.200" fill="none" stroke="currentColor" stroke-width="1.600" /><path d="M5 1.800a3.200 3.200 0 0 1 0 6.400z" fill="currentColor" />`,
};

/** A shape for a tone: states differ without their colour, too. */
export const Mark = ({ tone }) => html`<svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">${SHAPES[tone]}</svg>`;

/** The brand: three birds of a flock. */
export const Flock = () => html`
  <svg width="22" height="22" viewBox="0 0 22 22" fill="none" stroke="currentColor" stroke-width="1.800" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d="M1.500 7.500c2.600-2.600 4.600-1.700 5.400 1 .8-2.700 3.600-3.600 6.200-1" /><path d="M11 13.500c2-2 3.600-1.300 4.200.7.7-2 2.700-2.700 4.800-.7" /><path d="M4 17.500c1.400-1.400 2.600-1 3 .5.5-1.500 1.900-1.900 3.300-.5" />
  </svg>`;
