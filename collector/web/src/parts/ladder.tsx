// The last packets of a connection, drawn between its two ends.

import { useRef } from "preact/hooks";
import type { Event, Rung } from "../answers";
import { count, endpoint, span } from "../format";
import { baselines, isReset, missing, relative, standing } from "../rungs";
import { useWidth } from "./size";

export function Ladder(props: { rungs: Rung[]; event: Event }) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder, 760);
  const { event } = props;
  const narrow = width < 560;
  const { left, right, sender } = places(width, narrow, props.rungs, event.origin);
  const usual = baselines(props.rungs);
  let y = 46;
  const rows = props.rungs.map((rung) => {
    const gap = missing(rung) ? y + 20 : undefined;
    if (gap) y += 44;
    const at = y;
    y += ROW;
    return { rung, at, gap };
  });
  const height = y + 6;
  return (
    <div class="ladder" ref={holder}>
      <svg width={width} height={height} role="img" aria-label={`Ladder of ${props.rungs.length} packets; the same is in the table below.`}>
        <defs>
          {["packet", "judged", "other"].map((name) => (
            <marker key={name} id={`tip-${name}`} viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
              <path d="M0 0 8 4 0 8Z" class={`tip ${name}`} />
            </marker>
          ))}
        </defs>
        <End x={left} y={height} title="client" name={narrow ? "" : endpoint(event.client)} />
        <End x={right} y={height} title="server" name={narrow ? "" : endpoint(event.server)} />
        {sender && <>
          <line x1={sender.x} x2={sender.x} y1={34} y2={height} class="life device" />
          <text x={sender.x} y={14} class="end-title device">{sender.title}</text>
        </>}
        {rows.map(({ rung, at, gap }) => {
          const own = usual[rung.from];
          const isStrange = own !== undefined && rung.ttl !== own;
          const towardRight = rung.from === "client";
          const start = rung.is_judged && sender ? sender.x : towardRight ? left : right;
          const end = towardRight ? right : left;
          const kind = rung.is_judged ? "judged" : isReset(rung) ? "other" : "packet";
          // Beside the path there is no room: the text stands within it, before the tip of the arrow.
          const isBeside = start < left || start > right;
          const middle = isBeside ? (left + right) / 2 : (start + end) / 2;
          const where = towardRight ? left - 8 : right + 8;
          return (
            <g key={`${rung.after_s}-${at}`} class={kind}>
              {gap && <>
                <line x1={left - 5} x2={right + 5} y1={gap - 12} y2={gap - 12} class="omitted" />
                <text x={(left + right) / 2} y={gap + 3} class="axis middle">{missing(rung)}</text>
              </>}
              {rung.is_judged && <rect x={0} y={at - 18} width={width} height={ROW} class="judged-row" />}
              <text x={4} y={at + 4} class="axis">{narrow ? "" : `+${span(rung.after_s)}`}</text>
              <line x1={start} y1={at} x2={end} y2={at} class={`arrow ${kind}`} marker-end={`url(#tip-${kind})`} />
              <text x={middle} y={isBeside ? at + 4 : at - 6} class="rung middle">{label(rung, narrow)}</text>
              <text x={where} y={at + 4} class={`axis ${towardRight ? "end" : ""} ${isStrange ? "strange" : ""}`}>
                {narrow ? `${rung.ttl}` : header(rung)}
                <title>{isStrange ? `${header(rung)}: others of this side have TTL ${own}` : header(rung)}</title>
              </text>
            </g>
          );
        })}
      </svg>
      <details class="numbers">
        <summary>The packets as a table</summary>
        <div class="across">
          <table aria-label="Packets">
            <thead><tr><th scope="col" class="right">after</th><th scope="col">from</th><th scope="col">flags</th><th scope="col" class="right">seq</th><th scope="col" class="right">ack</th><th scope="col" class="right">bytes</th><th scope="col" class="right">TTL</th><th scope="col" class="right">IP ID</th><th scope="col" class="right">window</th><th scope="col">note</th></tr></thead>
            <tbody>
              {props.rungs.map((rung, index) => (
                <tr key={index} class={rung.is_judged ? "judged-line" : ""}>
                  <td class="number right">{span(rung.after_s)}</td>
                  <td>{rung.from}</td>
                  <td><code>{rung.flags}</code></td>
                  <td class="number right">{relative(rung.seq)}</td>
                  <td class="number right">{rung.ack == null ? "–" : relative(rung.ack)}</td>
                  <td class="number right">{count(rung.len)}</td>
                  <td class="number right">{rung.ttl}</td>
                  <td class="number right">{rung.ip_id ?? "–"}</td>
                  <td class="number right">{rung.window}</td>
                  <td>{[rung.is_judged ? "the reset that was judged" : "", missing(rung) ? `before it ${missing(rung)}` : ""].filter(Boolean).join("; ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  );
}

function End(props: { x: number; y: number; title: string; name: string }) {
  return (
    <g>
      <text x={props.x} y={14} class="end-title">{props.title}</text>
      <text x={props.x} y={29} class="axis middle">{props.name}</text>
      <line x1={props.x} x2={props.x} y1={34} y2={props.y} class="life" />
    </g>
  );
}

const header = (rung: Rung): string => `TTL ${rung.ttl}${rung.ip_id == null ? "" : ` · ID ${rung.ip_id}`}`;

function label(rung: Rung, narrow: boolean): string {
  const parts = [flags(rung.flags)];
  if (!narrow) parts.push(`seq ${relative(rung.seq)}`);
  if (!narrow && rung.ack != null) parts.push(`ack ${relative(rung.ack)}`);
  if (rung.len > 0) parts.push(`${count(rung.len)} B`);
  return parts.join("  ");
}

const NAMES: Record<string, string> = { S: "SYN", F: "FIN", R: "RST", P: "PSH", A: "ACK", U: "URG", E: "ECE", C: "CWR" };

export const flags = (letters: string): string =>
  [...letters].map((letter) => NAMES[letter] ?? letter).join(" ") || "no flags";

/** Where the two ends stand, and whoever sent the judged reset if that was neither. */
function places(width: number, narrow: boolean, rungs: Rung[], origin: string) {
  const [left, right] = narrow ? [64, width - 64] : [170, width - 130];
  const where = standing(origin);
  if (where === "between") return { left, right, sender: { x: (left + right) / 2, title: "device" } };
  if (where === "end") return { left, right, sender: undefined };
  // Outside the end that is hit, which is not the one that the reset bears the address of.
  const room = narrow ? 34 : 60;
  const title = narrow ? "off path" : "off the path";
  return rungs.some((rung) => rung.is_judged && rung.from === "client")
    ? { left, right: right - room, sender: { x: width - (narrow ? 32 : 48), title } }
    : { left: left + room, right, sender: { x: narrow ? 32 : 92, title } };
}

const ROW = 30;
