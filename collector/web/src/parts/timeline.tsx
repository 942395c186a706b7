// Resets over time, stacked by cause; a span of it can be picked with mouse or keys.

import { useRef, useState } from "preact/hooks";
import type { Step } from "../answers";
import { harmful, total } from "../answers";
import { about, count, dateTime, instant, share, short, tick, words } from "../format";
import { ticks } from "../histogram";
import { heights, layers, OTHER } from "../stack";
import { go, useCell, view, zone } from "../state";
import { withFilter } from "../view";
import { attempts, Empty, Link } from "./basic";
import { useWidth } from "./size";

export function Timeline(props: { series: Step[]; stepS: number; label: string; height?: number }) {
  const { series, stepS } = props;
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder, 800);
  const current = useCell(view);
  const shown = useCell(zone);
  const [at, setAt] = useState<number | null>(null);
  const [from, setFrom] = useState<number | null>(null);
  if (series.length === 0) return <Empty>No time has passed in this span yet.</Empty>;
  const names = layers(series, LAYERS_MAX);
  const all = current.benign ? [...names, "benign"] : names;
  const stacks = series.map((step) => heights(step, names, current.benign));
  const most = Math.max(1, ...stacks.map((stack) => stack.reduce((sum, value) => sum + value, 0)));
  const marks = ticks(most);
  const top = marks.at(-1) ?? 1;
  const height = props.height ?? 210;
  const plot = { left: 44, right: 8, top: 8, bottom: 24 };
  const wide = Math.max(50, width - plot.left - plot.right);
  const high = height - plot.top - plot.bottom;
  const stepWide = wide / series.length;
  const y = (value: number) => plot.top + high - (value / top) * high;
  const indexAt = (clientX: number) => {
    const left = holder.current?.getBoundingClientRect().left ?? 0;
    return Math.min(series.length - 1, Math.max(0, Math.floor((clientX - left - plot.left) / stepWide)));
  };
  const pick = (a: number, b: number) => {
    const [low, up] = a <= b ? [a, b] : [b, a];
    const start = series[low]?.time;
    const end = series[up]?.time;
    if (!start || !end) return;
    const iso = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
    go({ ...current, time: { from: iso(instant(start)), to: iso(instant(end) + stepS * 1000) } });
  };
  const onKey = (event: KeyboardEvent) => {
    const here = at ?? series.length - 1;
    const moves: Record<string, number> = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: series.length - 1 };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const place = Math.min(series.length - 1, Math.max(0, to));
      if (event.shiftKey && from === null) setFrom(here);
      if (!event.shiftKey) setFrom(null);
      setAt(place);
    } else if (event.key === "Enter" && at !== null) {
      pick(from ?? at, at);
    } else if (event.key === "Escape") {
      setAt(null);
      setFrom(null);
    }
  };
  const step = at === null ? undefined : series[at];
  const labels = Math.max(1, Math.ceil(series.length / Math.max(2, Math.floor(wide / 90))));
  return (
    <figure class="timeline" ref={holder}>
      <svg
        width={width} height={height} role="img" tabIndex={0}
        aria-label={`${props.label}: ${series.length} steps of ${stepS} seconds. Arrow keys walk through them, Enter shows one alone; the numbers are in the table below.`}
        onKeyDown={onKey}
        onPointerMove={(event) => setAt(indexAt(event.clientX))}
        onPointerLeave={() => { if (from === null) setAt(null); }}
        onPointerDown={(event) => { setFrom(indexAt(event.clientX)); (event.currentTarget as Element).setPointerCapture(event.pointerId); }}
        onPointerUp={(event) => { const to = indexAt(event.clientX); if (from !== null && from !== to) pick(from, to); setFrom(null); }}
        onBlur={() => { setAt(null); setFrom(null); }}
      >
        {marks.map((mark) => (
          <g key={mark}>
            <line x1={plot.left} x2={plot.left + wide} y1={y(mark)} y2={y(mark)} class="grid" />
            <text x={plot.left - 6} y={y(mark) + 4} class="axis end">{short(mark)}</text>
          </g>
        ))}
        {stacks.map((stack, index) => {
          let below = 0;
          return stack.map((value, layer) => {
            if (value === 0) return null;
            const bottom = y(below);
            below += value;
            const upper = y(below);
            const x = plot.left + index * stepWide;
            return <rect key={`${index}-${layer}`} x={x} width={Math.max(1, stepWide - (stepWide > 4 ? 1 : 0))} y={upper} height={Math.max(1, bottom - upper)} class={layerClass(all, layer)} />;
          });
        })}
        {series.map((item, index) => index % labels === 0 && plot.left + index * stepWide < width - 36 && (
          <text key={item.time} x={plot.left + index * stepWide} y={height - 6} class="axis">{tick(instant(item.time), stepS, shown)}</text>
        ))}
        {at !== null && (
          <rect
            class="cursor" y={plot.top} height={high}
            x={plot.left + Math.min(at, from ?? at) * stepWide} width={(Math.abs(at - (from ?? at)) + 1) * stepWide}
          />
        )}
      </svg>
      <figcaption>
        <ul class="legend">
          {all.map((name, layer) => (
            <li key={name}>
              <i class={layerClass(all, layer)} aria-hidden="true" />
              {name === OTHER || name === "benign" ? name : <Link to={withFilter(current, `cause=${name}`)} title="show only these">{words(name)}</Link>}
            </li>
          ))}
          {all.length === 0 && <li class="faint">no harmful reset in this time</li>}
        </ul>
        <p class="readout number" aria-live="polite">
          {step
            ? <>
                <b>{dateTime(step.time, shown)}</b> {count(harmful(step.resets))} harmful
                {current.benign && <>, {count(step.resets.benign)} benign</>} of {about(attempts(step.connections))} connections ({share(harmful(step.resets), attempts(step.connections))})
                {(stacks[at ?? 0] ?? []).map((value, layer) => value > 0 && all[layer] !== "benign" ? `; ${words(all[layer] ?? "")} ${count(value)}` : "").join("")}
              </>
            : <span class="faint">a step is {stepText(stepS)}; point at one, or drag over some to show them alone</span>}
        </p>
      </figcaption>
      <details class="numbers">
        <summary>The same in numbers</summary>
        <div class="across">
          <table>
            <thead><tr><th scope="col">from</th><th scope="col" class="right">harmful</th><th scope="col" class="right">all resets</th><th scope="col" class="right">connections</th><th scope="col">causes</th></tr></thead>
            <tbody>
              {series.filter((item) => total(item.resets) > 0).slice(-ROWS_MAX).map((item) => (
                <tr key={item.time}>
                  <td class="number">{dateTime(item.time, shown)}</td>
                  <td class="number right">{count(harmful(item.resets))}</td>
                  <td class="number right">{count(total(item.resets))}</td>
                  <td class="number right">{count(attempts(item.connections))}</td>
                  <td>{Object.entries(item.harmful_by_cause).map(([name, value]) => `${words(name)} ${count(value)}`).join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

const layerClass = (all: string[], layer: number): string =>
  all[layer] === OTHER ? "layer-other" : all[layer] === "benign" ? "layer-benign" : `layer-${layer}`;

const stepText = (seconds: number): string =>
  seconds % 86_400 === 0 ? `${seconds / 86_400} d` : seconds % 3600 === 0 ? `${seconds / 3600} h` : seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;

const LAYERS_MAX = 7;
const ROWS_MAX = 200;
