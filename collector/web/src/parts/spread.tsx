// A histogram over a logarithmic axis, with well-known timers marked.

import { useRef } from "preact/hooks";
import type { IdleTimer, Spread } from "../answers";
import { bytes, count, share, short, span } from "../format";
import { bars, place, quantile, ticks } from "../histogram";
import { Empty } from "./basic";
import { useWidth } from "./size";

export function SpreadChart(props: { spread: Spread; label: string; unit: "s" | "B"; timers?: IdleTimer[]; height?: number }) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder, 500);
  const { spread } = props;
  const shown = bars(spread);
  const text = props.unit === "s" ? span : bytes;
  if (spread.count === 0) return <Empty>Nothing to measure in this time.</Empty>;
  const timers = (props.timers ?? []).filter((timer) => timer.count > 0);
  const least = Math.min(shown[0]?.low ?? 1, ...timers.map((timer) => timer.seconds * 0.8));
  const greatest = Math.max(shown.at(-1)?.high ?? 2, ...timers.map((timer) => timer.seconds * 1.2));
  // Few buckets do not fill the width: what lies within 19 % shall look narrow.
  const room = Math.max(1, Math.sqrt(RATIO_LEAST / (greatest / least)));
  const [low, high] = [least / room, greatest * room];
  const most = Math.max(1, ...shown.map((bar) => bar.count));
  const marks = ticks(most, 3);
  const top = marks.at(-1) ?? 1;
  const height = (props.height ?? 170) + (timers.length > 0 ? 16 : 0);
  const plot = { left: 44, right: 12, top: timers.length > 0 ? 24 : 8, bottom: 24 };
  const wide = Math.max(50, width - plot.left - plot.right);
  const tall = height - plot.top - plot.bottom;
  const x = (value: number) => plot.left + place(value, low, high) * wide;
  const y = (value: number) => plot.top + tall - (value / top) * tall;
  const values = decades(low, high, props.unit, Math.floor(wide / 62));
  return (
    <figure ref={holder}>
      <svg width={width} height={height} role="img" aria-label={`${props.label}: ${summary(spread, text)}`}>
        {marks.map((mark) => (
          <g key={mark}>
            <line x1={plot.left} x2={plot.left + wide} y1={y(mark)} y2={y(mark)} class="grid" />
            <text x={plot.left - 6} y={y(mark) + 4} class="axis end">{short(mark)}</text>
          </g>
        ))}
        {timers.map((timer) => (
          <g key={timer.seconds}>
            <title>{`${span(timer.seconds)}: ${count(timer.count)} resets. ${timer.products}`}</title>
            <line x1={x(timer.seconds)} x2={x(timer.seconds)} y1={plot.top - 8} y2={plot.top + tall} class="timer" />
            <text x={x(timer.seconds)} y={plot.top - 12} class="axis middle timer-name">{plain(timer.seconds)}</text>
          </g>
        ))}
        {shown.map((bar) => bar.count > 0 && (
          <rect key={bar.low} x={x(bar.low) + 0.5} width={Math.max(1.5, x(bar.high) - x(bar.low) - 1)} y={y(bar.count)} height={Math.max(1, y(0) - y(bar.count))} class="bucket">
            <title>{`${text(bar.low)} to ${text(bar.high)}: ${count(bar.count)} (${share(bar.count, spread.count)})`}</title>
          </rect>
        ))}
        {values.map((value) => <text key={value} x={x(value)} y={height - 6} class="axis middle">{text(value)}</text>)}
      </svg>
      <figcaption class="faint">{summary(spread, text)}</figcaption>
    </figure>
  );
}

function summary(spread: Spread, text: (value: number) => string): string {
  const at = (part: number) => {
    const value = quantile(spread, part);
    return value === undefined ? "–" : text(value);
  };
  const zeros = spread.zeros > 0 ? `; ${count(spread.zeros)} at zero, not drawn` : "";
  return `${count(spread.count)} ${spread.count === 1 ? "reset" : "resets"}; half within ${at(0.5)}, nine of ten within ${at(0.9)}, 99 % within ${at(0.99)}${zeros}`;
}

/** The ends of an axis are at least that far apart. */
const RATIO_LEAST = 1000;

const plain = (seconds: number): string => (seconds < 120 ? `${seconds} s` : seconds % 3600 === 0 ? `${seconds / 3600} h` : seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`);

function decades(low: number, high: number, unit: "s" | "B", most: number): number[] {
  const base = unit === "s" ? 10 : 32;
  const first = Math.ceil(Math.log(low) / Math.log(base) - 1e-9);
  const last = Math.floor(Math.log(high) / Math.log(base) + 1e-9);
  const all: number[] = [];
  for (let power = first; power <= last; power += 1) all.push(base ** power);
  const every = Math.max(1, Math.ceil(all.length / Math.max(2, most)));
  return all.filter((_, index) => index % every === 0);
}
