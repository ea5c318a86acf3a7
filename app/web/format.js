// @ts-check
// Owns how numbers and times are written on the page; it shortens and groups, it never computes.

const ET = "America/New_York";
/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {number} least @param {number} most */
function numbers(least, most) {
  const key = `${least}.${most}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most });
    formats.set(key, found);
  }
  return found;
}

/** Writes decimal text exactly, grouped; a missing value is a dash.
 * @param {string | null | undefined} text @param {number} [least] @param {number} [most] */
export function decimal(text, least = 2, most = Math.max(least, 2)) {
  if (text === null || text === undefined || text === "") return "–";
  return numbers(least, most).format(/** @type {any} */ (text)).replace("-", "−");
}

/** @param {string | null | undefined} text */
export function quantity(text) {
  return decimal(text, 0, 6);
}

/** Writes a gain or loss with its sign, so that colour is never the only cue.
 * @param {string | null | undefined} text */
export function signed(text) {
  const shown = decimal(text);
  return tone(text) === "gain" ? `+${shown}` : shown;
}

const shares = new Intl.NumberFormat("en-US", {
  style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero",
});

/** Writes a fraction as a signed percentage: `-0.000236` is −0.02%.
 * @param {string} text */
export function percent(text) {
  return shares.format(/** @type {any} */ (text)).replace("-", "−");
}

/** @param {string | null | undefined} text @returns {"gain" | "loss" | "flat"} */
export function tone(text) {
  if (!text || !/[1-9]/.test(text)) return "flat";
  return text.startsWith("-") ? "loss" : "gain";
}

const clockFormat = new Intl.DateTimeFormat("en-US", {
  timeZone: ET, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const dayFormat = new Intl.DateTimeFormat("en-US", {
  timeZone: ET, weekday: "short", month: "short", day: "numeric", year: "numeric",
});
const partsFormat = new Intl.DateTimeFormat("en-CA", {
  timeZone: ET, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
  minute: "2-digit", hourCycle: "h23",
});

/** @param {string | null | undefined} iso */
export function clock(iso) {
  return iso ? `${clockFormat.format(new Date(iso))} ET` : "–";
}

/** @param {string | null | undefined} iso */
export function day(iso) {
  return iso ? dayFormat.format(new Date(iso)) : "–";
}

/** @param {string | null | undefined} iso */
export function stamp(iso) {
  return iso ? `${day(iso)}, ${clock(iso)}` : "–";
}

/** Returns the exchange's calendar date, `YYYY-MM-DD`.
 * @param {string} iso */
export function sessionDate(iso) {
  return partsFormat.format(new Date(iso)).slice(0, 10);
}

/** Returns seconds that a chart without time zones shows as the exchange's wall clock.
 * @param {string} iso */
export function wallSeconds(iso) {
  const [date, time] = partsFormat.format(new Date(iso)).split(", ");
  return Date.parse(`${date}T${time}:00Z`) / 1000;
}

/** @param {number} seconds */
export function countdown(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

/** Writes a state or code as words: `PARTIALLY_FILLED` is "partially filled".
 * @param {string | null | undefined} text */
export function words(text) {
  return (text ?? "").replaceAll("_", " ").toLowerCase();
}

const localFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const localDayFormat = new Intl.DateTimeFormat(undefined, { weekday: "short", month: "short", day: "numeric" });

/** Writes an instant on the reader's own clock, with the day where it is another one than `beside`'s.
 * @param {string | null | undefined} iso @param {string | number} [beside] */
export function local(iso, beside = Date.now()) {
  if (!iso) return "–";
  const at = new Date(iso);
  const time = localFormat.format(at);
  return at.toDateString() === new Date(beside).toDateString() ? time : `${localDayFormat.format(at)}, ${time}`;
}

/** Writes a length of time in its largest whole unit: 95 s is `1 min`.
 * @param {number} seconds */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} days`;
}
