// Numbers, times and names as people read them. Pure.

import type { Endpoint, ServerRange } from "./answers";

const THIN = "\u202f";

/** 5200000 as "5 200 000", with thin spaces that do not break. */
export function count(value: number): string {
  const sign = value < 0 ? "−" : "";
  const digits = Math.abs(Math.round(value)).toString();
  return sign + digits.replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** 5200000 as "5.2 million"; what has four digits or fewer stays whole. */
export function about(value: number): string {
  const scales: [number, string][] = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];
  for (const [size, word] of scales) {
    if (value >= size * 0.9995) return `${three(value / size)} ${word}`;
  }
  return count(value);
}

/** The same in few characters, for axes: 5.2 M. */
export function short(value: number): string {
  const scales: [number, string][] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  for (const [size, letter] of scales) {
    if (value >= size * 0.9995) return `${three(value / size)}${THIN}${letter}`;
  }
  return three(value);
}

/** A part of a whole: "12.3 %", "0.0096 %", "none of none" as "–". */
export function share(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const percent = (100 * part) / whole;
  if (percent === 0) return `0${THIN}%`;
  if (percent < 0.0001) return `<${THIN}0.0001${THIN}%`;
  if (percent >= 99.95 && part < whole) return `>${THIN}99.9${THIN}%`;
  return `${percent >= 10 ? trim(percent.toFixed(1)) : trim(percent.toPrecision(2))}${THIN}%`;
}

/** A probability: nothing seen from outside is certain, so never "100 %". */
export function sure(probability: number): string {
  if (probability >= 0.995) return `>${THIN}99${THIN}%`;
  return `${Math.round(probability * 100)}${THIN}%`;
}

/** The band of a probability, as the proof sheet names it. */
export function band(probability: number): string {
  if (probability >= 0.98) return "as good as proven";
  if (probability >= 0.9) return "strong";
  if (probability >= 0.7) return "likely";
  if (probability >= 0.5) return "weak";
  return "a guess";
}

/** Seconds as "42 µs", "1.25 ms", "3.1 s", "5 min 52 s", "1 h 0 min". */
export function span(seconds: number): string {
  const s = Math.abs(seconds);
  const sign = seconds < 0 ? "−" : "";
  if (s === 0) return "0 s";
  if (s < 1e-6) return `${sign}${three(s * 1e9)} ns`;
  if (s < 1e-3) return `${sign}${three(s * 1e6)} µs`;
  if (s < 1) return `${sign}${three(s * 1e3)} ms`;
  if (s < 120) return `${sign}${three(s)} s`;
  const whole = Math.round(s);
  if (whole < 7200) return `${sign}${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 2880) return `${sign}${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(s / 3600);
  return `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Bytes with binary units. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let index = 0;
  let rest = value;
  while (rest >= 1023.5 && index < units.length - 1) {
    rest /= 1024;
    index += 1;
  }
  return `${three(rest)} ${units[index]}`;
}

export function endpoint(place: Endpoint): string {
  return place.ip.includes(":") ? `[${place.ip}]:${place.port}` : `${place.ip}:${place.port}`;
}

/** A server as the API names it: `10.0.0.5:443`, `[2001:db8::1]:443`, `10.0.0.0/24`. */
export function server(range: ServerRange): string {
  const prefix = range.prefix != null ? `/${range.prefix}` : "";
  if (range.port == null) return range.ip + prefix;
  const ip = range.ip.includes(":") || prefix !== "" ? `[${range.ip}${prefix}]` : range.ip;
  return `${ip}:${range.port}`;
}

/** A name of a closed list in words: `idle_timeout_endpoint` as "idle timeout endpoint". */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** Who, in a word or two. */
export function origin(name: string): string {
  const known: Record<string, string> = {
    client: "the client",
    server: "the server",
    middlebox_to_client: "a device, to the client",
    middlebox_to_server: "a device, to the server",
    middlebox_both: "a device, to both ends",
    blind_attacker: "a blind attacker",
    unknown: "undecided",
  };
  return known[name] ?? words(name);
}

export type Zone = "local" | "utc";

const pad = (value: number, width = 2): string => value.toString().padStart(width, "0");

/** Milliseconds since the epoch of an RFC 3339 instant with up to nine decimals. */
export const instant = (text: string): number => Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));

function parts(ms: number, zone: Zone) {
  const at = new Date(ms);
  return zone === "utc"
    ? { y: at.getUTCFullYear(), mo: at.getUTCMonth() + 1, d: at.getUTCDate(), h: at.getUTCHours(), mi: at.getUTCMinutes(), s: at.getUTCSeconds(), ms: at.getUTCMilliseconds() }
    : { y: at.getFullYear(), mo: at.getMonth() + 1, d: at.getDate(), h: at.getHours(), mi: at.getMinutes(), s: at.getSeconds(), ms: at.getMilliseconds() };
}

/** 2026-11-23 08:03:13, or with milliseconds. */
export function dateTime(text: string | number, zone: Zone, precise = false): string {
  const ms = typeof text === "number" ? text : instant(text);
  if (!Number.isFinite(ms)) return "–";
  const p = parts(ms, zone);
  const rest = precise ? `.${pad(p.ms, 3)}` : "";
  return `${p.y}-${pad(p.mo)}-${pad(p.d)} ${pad(p.h)}:${pad(p.mi)}:${pad(p.s)}${rest}`;
}

/** For an axis of steps this long: the day where a day begins or steps are days, else the time. */
export function tick(ms: number, stepS: number, zone: Zone): string {
  const p = parts(ms, zone);
  if (stepS >= 86_400 || (p.h === 0 && p.mi === 0 && p.s === 0)) return `${pad(p.mo)}-${pad(p.d)}`;
  return stepS < 60 ? `${pad(p.h)}:${pad(p.mi)}:${pad(p.s)}` : `${pad(p.h)}:${pad(p.mi)}`;
}

/** "12 s ago". */
export function ago(text: string, now: number): string {
  const seconds = (now - instant(text)) / 1000;
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Three significant digits, no more than needed, never an exponent. */
function three(value: number): string {
  if (value === 0) return "0";
  if (value >= 999.5) return count(value);
  return trim(Number(value.toPrecision(3)).toString());
}

const trim = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
