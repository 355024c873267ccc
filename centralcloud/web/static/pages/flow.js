// The picture of the loop: what one instance learns goes up, is merged, and comes back to all of them.
import { compact, figure, percent, seconds } from "../format.js";
import { html, useEffect, useState } from "../html.js";

const WIDE = { box: [1080, 148], size: [156, 84], at: (index) => [4 + index * 229, 4] };
const TALL = { box: [340, 516], size: [196, 72], at: (index) => [100, 4 + index * 108] };
const DOTS_MAX = 5;

function useMatch(query) {
  const [matches, setMatches] = useState(matchMedia(query).matches);
  useEffect(() => {
    const watched = matchMedia(query);
    const changed = () => setMatches(watched.matches);
    watched.addEventListener("change", changed);
    return () => watched.removeEventListener("change", changed);
  }, [query]);
  return matches;
}

const perMinute = (rate) => (rate === null || rate === undefined ? "–" : `${figure(rate)}/min`);

/** What each station and each way between two of them says. */
function told(overview, waiting) {
  const { rates, adoption, instances } = overview;
  const present = Object.entries(instances).reduce((sum, [state, number]) => sum + (state === "offline" ? 0 : number), 0);
  const delay = adoption.p50_seconds === null ? "none applied yet" : `half within ${seconds(adoption.p50_seconds)}`;
  return {
    nodes: [
      ["Instances", compact(present), `of ${compact(overview.known_instances)} known`],
      ["NATS", waiting === null ? "–" : compact(waiting), waiting === 1 ? "message waits" : "messages wait"],
      ["Centralcloud", compact(overview.patterns), overview.waiting ? `patterns, ${compact(overview.waiting)} to merge` : "patterns"],
      ["Insights", compact(overview.insights), `version ${compact(overview.insight_version)}`],
      ["Adopted", percent(adoption.share), delay],
    ],
    edges: [
      ["learned", rates.events],
      ["taken in", rates.events],
      ["merged", rates.insights],
      ["applied", rates.applied],
    ],
  };
}

/** The ways, as SVG paths; the last one is the way back. */
function ways({ at, size: [width, height] }, tall) {
  const ahead = [0, 1, 2, 3].map((index) => {
    const [x, y] = at(index);
    const [nextX, nextY] = at(index + 1);
    return tall ? `M${x + width / 2} ${y + height}V${nextY}` : `M${x + width} ${y + height / 2}H${nextX}`;
  });
  const [x, y] = at(0);
  const [lastX, lastY] = at(4);
  const back = tall
    ? `M${lastX} ${lastY + height / 2}H52Q36 ${lastY + height / 2} 36 ${lastY + height / 2 - 16}V${y + height / 2 + 16}Q36 ${y + height / 2} 52 ${y + height / 2}H${x}`
    : `M${lastX + width / 2} ${lastY + height}V112Q${lastX + width / 2} 128 ${lastX + width / 2 - 16} 128H${x + width / 2 + 16}Q${x + width / 2} 128 ${x + width / 2} 112V${y + height}`;
  return [...ahead, back];
}

function Way({ path, rate, back, still, long }) {
  const dots = rate > 0 && !still ? Math.min(DOTS_MAX, Math.ceil(Math.log2(1 + rate))) * (back ? 2 : 1) : 0;
  const lasts = long ? 9 : 2.4;
  return html`<path class=${`edge ${rate > 0 ? "live" : ""} ${back ? "back" : ""}`} d=${path} />
    ${Array.from({ length: dots }, (_, index) => html`<circle key=${index} class="dot" r="2.600">
      <animateMotion path=${path} dur=${`${lasts}s`} begin=${`${((-index * lasts) / dots).toFixed(2)}s`} repeatCount="indefinite" /></circle>`)}`;
}

function Station({ place: [x, y], size: [width, height], name, value, note }) {
  return html`<g transform=${`translate(${x} ${y})`}>
    <rect class="node" width=${width} height=${height} rx="10" />
    <text class="name" x="16" y=${height === 84 ? 24 : 21}>${name}</text>
    <text class="value" x="16" y=${height === 84 ? 50 : 44}>${value}</text>
    <text class="note" x="16" y=${height === 84 ? 70 : 61}>${note}</text></g>`;
}

/** The loop with what flows through it now. `waiting`: messages on the bus, null when it does not say. */
export function Flow({ overview, waiting }) {
  const tall = useMatch("(max-width: 800px)");
  const still = useMatch("(prefers-reduced-motion: reduce)");
  const shape = tall ? TALL : WIDE;
  const { nodes, edges } = told(overview, waiting);
  const paths = ways(shape, tall);
  const says = nodes.map(([name, value, note]) => `${name} ${value} ${note}`).concat(edges.map(([name, rate]) => `${name} ${perMinute(rate)}`));
  return html`<svg class="flow" viewBox=${`0 0 ${shape.box.join(" ")}`} role="img" aria-label=${`The learning loop: ${says.join("; ")}`}>
    ${paths.map((path, index) => html`<${Way} key=${`${tall}${index}`} path=${path} rate=${edges[Math.min(index, 3)][1]} back=${index === 4} long=${index === 4} still=${still} />`)}
    ${edges.map(([name, rate], index) => {
      const [x, y] = shape.at(index);
      return tall
        ? html`<text key=${name} class="rate" x=${x + shape.size[0] / 2 + 10} y=${y + shape.size[1] + 22}>${name} ${perMinute(rate)}</text>`
        : html`<g key=${name}><text class="rate" x=${x + shape.size[0] + 36.5} y=${y + 32} text-anchor="middle">${perMinute(rate)}</text>
            <text class="note" x=${x + shape.size[0] + 36.5} y=${y + 60} text-anchor="middle">${name}</text></g>`;
    })}
    ${nodes.map(([name, value, note], index) => html`<${Station} key=${name} place=${shape.at(index)} size=${shape.size} name=${name} value=${value} note=${note} />`)}
    ${!tall && html`<text class="note" x="540" y="146" text-anchor="middle">what one instance learns, every instance knows</text>`}
  </svg>`;
}
