import type { FunctionComponent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Filters } from "./parts/filters";
import { Help } from "./parts/help";
import { Link } from "./parts/basic";
import { Login } from "./parts/login";
import { isLocked, isPaused, line, theme, useCell, view, zone, type Theme } from "./state";
import { listenToKeys } from "./keys";
import { onPage, type Page, PAGES } from "./view";
import { BurstsPage } from "./pages/bursts";
import { DevicesPage } from "./pages/devices";
import { DisagreementsPage } from "./pages/disagreements";
import { EventPage } from "./pages/event";
import { EventsPage } from "./pages/events";
import { IdlePage } from "./pages/idle";
import { LogsPage } from "./pages/logs";
import { OverviewPage } from "./pages/overview";
import { SensorsPage } from "./pages/sensors";
import { ServerPage } from "./pages/server";
import { ServersPage } from "./pages/servers";

const TITLES: Record<Page, string> = {
  overview: "Overview", servers: "Servers", events: "Resets", idle: "Idle timers", bursts: "Bursts",
  devices: "Devices", disagreements: "Disagreements", logs: "Log sources", sensors: "Sensors",
};

export function App() {
  const current = useCell(view);
  const locked = useCell(isLocked);
  const [isHelp, setHelp] = useState(false);
  const help = useRef(setHelp);
  help.current = setHelp;
  useEffect(() => listenToKeys(() => help.current((shown) => !shown)), []);
  const title = current.key || TITLES[current.page];
  useEffect(() => {
    document.title = `${title} – rstscope`;
  }, [title]);
  const Shown = pageOf(current.page, current.key !== "");
  return (
    <>
      <a class="skip" href="#content">To the content</a>
      <header class="top">
        <Link to={onPage(current, "overview")} class="name" label="rstscope, overview">
          <img src="/icon.svg" width="22" height="22" alt="" />rstscope
        </Link>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <Link key={page} to={onPage(current, page)} current={page === current.page}>{TITLES[page]}</Link>
          ))}
        </nav>
        <div class="tools">
          <Live />
          <ZoneSwitch />
          <ThemeSwitch />
          <button type="button" class="quiet" onClick={() => setHelp(true)} aria-label="Keys and help" title="Keys and help (?)">?</button>
        </div>
      </header>
      <Filters />
      <main id="content" tabIndex={-1}>
        {locked ? <Login /> : <Shown />}
      </main>
      {isHelp && <Help close={() => setHelp(false)} />}
    </>
  );
}

function pageOf(page: Page, hasKey: boolean): FunctionComponent {
  if (page === "servers" && hasKey) return ServerPage;
  if (page === "events" && hasKey) return EventPage;
  const pages: Record<Page, FunctionComponent> = {
    overview: OverviewPage, servers: ServersPage, events: EventsPage, idle: IdlePage, bursts: BurstsPage,
    devices: DevicesPage, disagreements: DisagreementsPage, logs: LogsPage, sensors: SensorsPage,
  };
  return pages[page];
}

function Live() {
  const paused = useCell(isPaused);
  const state = useCell(line);
  const text = paused ? "paused" : state === "live" ? "live" : state === "lost" ? "reconnecting" : "waiting";
  return (
    <button type="button" class={`quiet live ${paused ? "paused" : state}`} aria-pressed={paused} onClick={() => isPaused.set(!paused)} title="Live update: press to pause or go on (l)">
      <i aria-hidden="true" />{text}
    </button>
  );
}

function ZoneSwitch() {
  const shown = useCell(zone);
  const other = shown === "utc" ? "local" : "utc";
  return (
    <button type="button" class="quiet" onClick={() => zone.set(other)} title={`Times are ${shown === "utc" ? "UTC" : "of your zone"}; press for the other (u)`}>
      {shown === "utc" ? "UTC" : "local time"}
    </button>
  );
}

export const nextTheme: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

function ThemeSwitch() {
  const shown = useCell(theme);
  return (
    <button type="button" class="quiet" onClick={() => theme.set(nextTheme[shown])} title="Light, dark, or as the system has it (t)">
      {shown === "auto" ? "auto" : shown}
    </button>
  );
}
