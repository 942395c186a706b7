// The line below the pages: time, conditions, sensor, harmless ones.

import { useEffect, useState } from "preact/hooks";
import { useAnswer } from "../api";
import type { SensorRow } from "../answers";
import { dateTime, instant, type Zone } from "../format";
import { go, useCell, view, zone } from "../state";
import { isFilter, SPANS, spanSeconds, withFilter, withoutFilter, type View } from "../view";
import { choices, meant, vocabulary } from "../words";

export function Filters() {
  const current = useCell(view);
  const sensors = useAnswer<SensorRow[]>("sensors", undefined, { still: true });
  const names = (sensors.data ?? []).map((row) => row.sensor);
  if (current.sensor && !names.includes(current.sensor)) names.push(current.sensor);
  return (
    <div class="filters" role="search" aria-label="Time and filters">
      <TimeChoice current={current} />
      <div class="conditions">
        {current.filters.map((filter) => (
          <button key={filter} type="button" class="chip" onClick={() => go(withoutFilter(current, filter))} aria-label={`take away the filter ${filter}`} title="take away">
            {filter}<span aria-hidden="true">×</span>
          </button>
        ))}
        <FilterField current={current} />
      </div>
      {(names.length > 1 || current.sensor) && (
        <label class="sensor">sensor{" "}
          <select value={current.sensor} onChange={(event) => go({ ...current, sensor: event.currentTarget.value })}>
            <option value="">all</option>
            {names.map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
      )}
      <label class="check" title="Resets that cost nothing (n)">
        <input type="checkbox" checked={current.benign} onChange={() => go({ ...current, benign: !current.benign })} /> harmless and unknown too
      </label>
    </div>
  );
}

function FilterField(props: { current: View }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const known = useCell(vocabulary);
  const add = (event: Event) => {
    event.preventDefault();
    const filters = text.trim().split(/\s+/).filter(Boolean).map(meant);
    const wrong = filters.find((filter) => !isFilter(filter));
    if (wrong !== undefined) {
      setProblem(`${wrong}: write KEY=VALUE, for example cause=port_closed or server=10.0.0.5:443`);
      return;
    }
    if (filters.length > 0) go(filters.reduce(withFilter, props.current));
    setText("");
    setProblem("");
  };
  return (
    <form onSubmit={add}>
      <input
        id="filter" type="text" list="choices" value={text} placeholder="filter: cause=, server=, client=, port= …  ( / )" spellcheck={false}
        autocomplete="off" aria-label="Add a filter" aria-invalid={problem !== ""} aria-describedby={problem ? "filter-problem" : undefined}
        onInput={(event) => { setText(event.currentTarget.value); setProblem(""); }}
      />
      <datalist id="choices">{choices(known).map((choice) => <option key={choice} value={choice} />)}</datalist>
      {problem && <p id="filter-problem" role="alert" class="problem">{problem}</p>}
    </form>
  );
}

function TimeChoice(props: { current: View }) {
  const { current } = props;
  const shown = useCell(zone);
  const [isOpen, setOpen] = useState(false);
  const { time } = current;
  const shift = (by: -1 | 1) => {
    const [from, to] = edges(current);
    const span = to - from;
    go({ ...current, time: { from: iso(from + by * span), to: iso(to + by * span) } });
  };
  return (
    <div class="times" role="group" aria-label="Time">
      <button type="button" class="quiet" id="earlier" title="earlier ( [ )" aria-label="An earlier time of the same length" onClick={() => shift(-1)}>‹</button>
      {SPANS.map(([last, label]) => (
        <button key={last} type="button" class="quiet" aria-pressed={"last" in time && time.last === last} onClick={() => go({ ...current, time: { last } })}>{label}</button>
      ))}
      {"last" in time && !SPANS.some(([last]) => last === time.last) && <button type="button" class="quiet" aria-pressed="true">{time.last}</button>}
      <button type="button" class="quiet" aria-pressed={!("last" in time)} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {"last" in time ? "from … to …" : `${dateTime(time.from, shown)} to ${dateTime(time.to, shown)}`}
      </button>
      <button type="button" class="quiet" id="later" title="later ( ] )" aria-label="A later time of the same length" onClick={() => shift(1)}>›</button>
      {isOpen && <Bounds current={current} zone={shown} close={() => setOpen(false)} />}
    </div>
  );
}

function Bounds(props: { current: View; zone: Zone; close: () => void }) {
  const [low, high] = edges(props.current);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [problem, setProblem] = useState("");
  useEffect(() => {
    setFrom(dateTime(low, props.zone));
    setTo(dateTime(high, props.zone));
  }, [props.zone]);
  const take = (event: Event) => {
    event.preventDefault();
    const [a, b] = [read(from, props.zone), read(to, props.zone)];
    if (!Number.isFinite(a) || !Number.isFinite(b) || a >= b) {
      setProblem("Write both as 2026-11-23 08:03:13, the earlier one first.");
      return;
    }
    props.close();
    go({ ...props.current, time: { from: iso(a), to: iso(b) } });
  };
  return (
    <form class="bounds" onSubmit={take}>
      <label>from <input type="text" value={from} onInput={(event) => setFrom(event.currentTarget.value)} /></label>
      <label>to <input type="text" value={to} onInput={(event) => setTo(event.currentTarget.value)} /></label>
      <span class="faint">{props.zone === "utc" ? "UTC" : "your zone"}</span>
      <button type="submit">Show</button>
      {problem && <p role="alert" class="problem">{problem}</p>}
    </form>
  );
}

/** Milliseconds since the epoch. */
function edges(current: View): [number, number] {
  if (!("last" in current.time)) return [instant(current.time.from), instant(current.time.to)];
  const now = Date.now();
  return [now - (spanSeconds(current.time.last) ?? 86_400) * 1000, now];
}

const read = (text: string, zone: Zone): number => Date.parse(text.trim().replace(" ", "T") + (zone === "utc" ? "Z" : ""));

const iso = (ms: number): string => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
