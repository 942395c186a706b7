// What the address says: which page, which time, which filters, which order. Pure; the address is the only
// place where it is kept, so that a link shows what its sender saw.

export interface View {
  /** `overview`, `servers`, ... */
  page: Page;
  /** Which server or event, "" for lists. */
  key: string;
  /** Span that ends now, or fixed bounds as RFC 3339. */
  time: { last: string } | { from: string; to: string };
  /** Conditions `KEY=VALUE[,VALUE]` or `KEY!=...`, as the API takes them. */
  filters: string[];
  /** Of this sensor only; "" for all. */
  sensor: string;
  /** Whether resets are shown that are not harmful: harmless ones, and those that cannot be judged. */
  benign: boolean;
  /** Column, "-" before it for descending; "" for the page's own order. */
  sort: string;
  /** Text looked for in a table. */
  search: string;
}

export const PAGES = [
  "overview", "servers", "events", "idle", "bursts", "devices", "disagreements", "logs", "sensors",
] as const;
export type Page = (typeof PAGES)[number];

export const LAST_DEFAULT = "24h";

export const SPANS: [string, string][] = [
  ["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"], ["7d", "7 d"], ["30d", "30 d"], ["400d", "all"],
];

export function parse(address: string): View {
  const url = new URL(address, "http://x");
  const [first = "", ...rest] = url.pathname.split("/").filter(Boolean);
  const page = (PAGES as readonly string[]).includes(first) ? (first as Page) : "overview";
  const search = url.searchParams;
  const from = search.get("from");
  const to = search.get("to");
  const time = isInstant(from) && isInstant(to) ? { from, to } : { last: spanOf(search.get("last")) };
  return {
    page,
    key: rest.length > 0 ? decode(rest.join("/")) : "",
    time,
    filters: search.getAll("only").filter((text) => isFilter(text)),
    sensor: search.get("sensor") ?? "",
    benign: search.get("benign") === "1",
    sort: search.get("sort") ?? "",
    search: search.get("search") ?? "",
  };
}

/** The address of a view; what is as usual is left out. */
export function address(view: View): string {
  const search = new URLSearchParams();
  if ("last" in view.time) {
    if (view.time.last !== LAST_DEFAULT) search.set("last", view.time.last);
  } else {
    search.set("from", view.time.from);
    search.set("to", view.time.to);
  }
  for (const filter of view.filters) search.append("only", filter);
  if (view.sensor) search.set("sensor", view.sensor);
  if (view.benign) search.set("benign", "1");
  if (view.sort) search.set("sort", view.sort);
  if (view.search) search.set("search", view.search);
  const base = view.page === "overview" ? "/" : `/${view.page}`;
  const path = view.key ? `${base}/${encodeURIComponent(view.key)}` : base;
  // Colons, commas and equals signs may stand in a query: links are read by people too.
  const query = search.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
  return query ? `${path}?${query}` : path;
}

/** Another page with the same time and filters; order and search are the old page's own. */
export function onPage(view: View, page: Page, key = ""): View {
  return { ...view, page, key, sort: "", search: "" };
}

/** With a condition more; one of the same key gives way, and twice the same is once. */
export function withFilter(view: View, filter: string): View {
  const key = keyOf(filter);
  const others = view.filters.filter((text) => keyOf(text) !== key || text.includes("!=") !== filter.includes("!="));
  return { ...view, filters: [...others, filter] };
}

export function withoutFilter(view: View, filter: string): View {
  return { ...view, filters: view.filters.filter((text) => text !== filter) };
}

/** Whether only some servers are meant: which connections fell silent or got no answer is not known by server. */
export const isOfServers = (view: View): boolean => view.filters.some((text) => ["server", "port"].includes(keyOf(text)));

export const keyOf = (filter: string): string => filter.split(/!?=/)[0] ?? "";

export const isFilter = (text: string): boolean => /^[a-z_]+!?=.+$/.test(text) && text.length <= 200;

/** Seconds of "90s", "15m", "24h", "7d"; undefined of anything else. */
export function spanSeconds(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  if (!match) return undefined;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] as "s" | "m" | "h" | "d"];
  const seconds = Number(match[1]) * unit;
  return seconds > 0 && seconds <= 400 * 86_400 ? seconds : undefined;
}

const spanOf = (text: string | null): string => (text && spanSeconds(text) ? text : LAST_DEFAULT);

const isInstant = (text: string | null): text is string =>
  text !== null && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) && Number.isFinite(Date.parse(text));

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Which filters a question of the API bears: those of the view, and harmful resets alone unless others are asked for. */
export function question(view: View, options: { onlyHarmful?: boolean; time?: boolean } = {}): URLSearchParams {
  const search = new URLSearchParams();
  if (options.time !== false) {
    if ("last" in view.time) search.set("last", view.time.last);
    else {
      search.set("from", view.time.from);
      search.set("to", view.time.to);
    }
  }
  for (const filter of view.filters) search.append("only", filter);
  if (view.sensor) search.set("sensor", view.sensor);
  const speaksOfImpact = view.filters.some((filter) => keyOf(filter) === "impact");
  if (options.onlyHarmful && !view.benign && !speaksOfImpact) search.append("only", "impact=aborted,refused");
  return search;
}
