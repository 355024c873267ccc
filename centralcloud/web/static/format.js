// Numbers, times and names the way a person reads them; null is a dash, never a zero.
export const NONE = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const some = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

const known = (value, write) => (value === null || value === undefined || Number.isNaN(value) ? NONE : write(value));

/** 1,234 */
export const count = (value) => known(value, (number) => whole.format(number));

/** 12.3K */
export const compact = (value) =>
  known(value, (number) => (Math.abs(number) < 10_000 ? whole.format(number) : short.format(number)));

/** 0.42, 3.1, 128 */
export const figure = (value) => known(value, (number) => (number === 0 ? "0" : some.format(number)));

/** A share of one as 42 % (4.2 % when small). */
export const percent = (value) =>
  known(value, (share) => {
    const hundredths = share * 100;
    const digits = hundredths !== 0 && Math.abs(hundredths) < 10 && hundredths % 1 !== 0 ? 1 : 0;
    return `${hundredths.toFixed(digits)} %`;
  });

/** 3.4 MB */
export const bytes = (value) =>
  known(value, (number) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const step = number < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(number) / 3));
    return `${some.format(number / 1000 ** step)} ${units[step]}`;
  });

/** Seconds as 340 ms, 4.2 s, 3 min, 2 h, 5 d. */
export const seconds = (value) =>
  known(value, (length) => {
    if (length < 1) return `${Math.round(length * 1000)} ms`;
    if (length < 10) return `${length.toFixed(1)} s`;
    if (length < 100) return `${Math.round(length)} s`;
    if (length < 7200) return `${Math.round(length / 60)} min`;
    return length < 172_800 ? `${Math.round(length / 3600)} h` : `${Math.round(length / 86_400)} d`;
  });

/** 21 Nov 2026, 14:03:22 */
export const moment = (stamp) => known(stamp, (at) => `${day.format(new Date(at))}, ${clock.format(new Date(at))}`);

/** How long ago, in words that stay short: "now", "12 s ago"; "in 3 min" for what is to come. */
export function relative(past) {
  if (Math.abs(past) < 1) return "now";
  const words = seconds(Math.abs(past) < 100 ? Math.floor(Math.abs(past)) : Math.abs(past)).replace(".0", "");
  return past > 0 ? `${words} ago` : `in ${words}`;
}

/** "1 file", "3 files" */
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

/** The first characters of a fingerprint: enough to tell two apart by eye. */
export const brief = (id) => known(id, (text) => text.slice(0, 8));

/** Cents as dollars, with as many digits as small sums need. */
export const cents = (value) =>
  known(value, (sum) => (sum !== 0 && Math.abs(sum) < 10 ? `$${(sum / 100).toPrecision(2)}` : `$${(sum / 100).toFixed(2)}`));
