// The whole page by keys. Lists are walked by moving the focus, so that Enter, copying a link and screen
// readers work as everywhere.

import { nextTheme } from "./app";
import { go, isPaused, theme, view, zone } from "./state";
import { onPage, type Page } from "./view";

export const KEYS: [string, string][] = [
  ["/", "to the filters"],
  ["j, k", "next and previous row; on a reset's page the next and the previous reset"],
  ["Enter", "open what is chosen"],
  ["g then o s e i b d x l h", "go to overview, servers, resets (events), idle, bursts, devices, disagreements, logs, sensors (health)"],
  ["[ and ]", "an earlier and a later time of the same length"],
  ["n", "show harmless and unknown resets too, or not"],
  ["l", "pause live update, or go on"],
  ["u", "UTC or local time"],
  ["t", "light, dark, as the system"],
  ["?", "this list"],
  ["Escape", "leave a field or this list"],
];

const PLACES: Record<string, Page> = {
  o: "overview", s: "servers", e: "events", i: "idle", b: "bursts", d: "devices", x: "disagreements", l: "logs", h: "sensors",
};

let isGoing = false;

export function listenToKeys(help: () => void): () => void {
  const listener = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target as HTMLElement;
    if (target.matches("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (act(event.key, help)) event.preventDefault();
  };
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}

function act(key: string, help: () => void): boolean {
  if (isGoing) {
    isGoing = false;
    const page = PLACES[key];
    if (page) go(onPage(view.value, page));
    return page !== undefined;
  }
  switch (key) {
    case "g": isGoing = true; return true;
    case "/": focus("#filter"); return true;
    case "?": help(); return true;
    case "j": return step(1);
    case "k": return step(-1);
    case "[": return press("#earlier");
    case "]": return press("#later");
    case "n": go({ ...view.value, benign: !view.value.benign }); return true;
    case "l": isPaused.set(!isPaused.value); return true;
    case "u": zone.set(zone.value === "utc" ? "local" : "utc"); return true;
    case "t": theme.set(nextTheme[theme.value]); return true;
    default: return false;
  }
}

/** Moves the focus to the next row's main link; on a page of one reset presses "next" or "previous". */
function step(by: 1 | -1): boolean {
  if (press(by > 0 ? "#next" : "#previous")) return true;
  const rows = [...document.querySelectorAll<HTMLElement>("main tr[data-row]")].filter((row) => row.querySelector("a"));
  if (rows.length === 0) return false;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const to = at < 0 ? rows.find((row) => row.getBoundingClientRect().top >= 0) ?? rows[0] : rows[at + by];
  const link = to?.querySelector<HTMLElement>("a.main") ?? to?.querySelector<HTMLElement>("a");
  link?.focus();
  to?.scrollIntoView({ block: "nearest" });
  return true;
}

function press(selector: string): boolean {
  const button = document.querySelector<HTMLElement>(selector);
  button?.click();
  return button !== null;
}

function focus(selector: string): void {
  document.querySelector<HTMLInputElement>(selector)?.focus();
}
