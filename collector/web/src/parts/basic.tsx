// Small parts that every page uses.

import type { ComponentChildren } from "preact";
import type { Answer, Refusal } from "../api";
import type { Connections, Counts, Impact } from "../answers";
import { harmful, total, weight } from "../answers";
import { about, ago, count, dateTime, share, words } from "../format";
import { go, now, useCell, view, zone } from "../state";
import { address, withFilter, type View } from "../view";

/** A link to a view of this page: a real address, so that it can be copied and opened elsewhere. */
export function Link(props: { to: View; children: ComponentChildren; class?: string; title?: string; current?: boolean; label?: string }) {
  return (
    <a
      href={address(props.to)}
      class={props.class}
      title={props.title}
      aria-label={props.label}
      aria-current={props.current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        go(props.to);
      }}
    >
      {props.children}
    </a>
  );
}

export function Time(props: { at: string; precise?: boolean }) {
  const shown = useCell(zone);
  return (
    <time dateTime={props.at} title={props.at} class="number">
      {dateTime(props.at, shown, props.precise)}
    </time>
  );
}

export function Ago(props: { at: string }) {
  const instant = useCell(now);
  const shown = useCell(zone);
  return (
    <time dateTime={props.at} title={dateTime(props.at, shown)} class="number">
      {ago(props.at, instant)}
    </time>
  );
}

export function ImpactMark(props: { impact: Impact }) {
  return <span class={`mark ${props.impact}`}>{props.impact}</span>;
}

export function Number(props: { value: number }) {
  return <span class="number" title={count(props.value)}>{about(props.value)}</span>;
}

/** "500 of 5.2 million connections (0.0096 %)": never a count without what it is of. */
export function Of(props: { part: number; connections: Connections }) {
  const whole = attempts(props.connections);
  return (
    <span class="of">
      <b class="number">{count(props.part)}</b> of <Number value={whole} /> connections{" "}
      <span class="faint number">({share(props.part, whole)})</span>
    </span>
  );
}

/** Connections that were begun or met: what resets are a part of. */
export const attempts = (connections: Connections): number => connections.opened + connections.midstream;

/** A thin bar of harmful resets by impact, or of all, as a part of the most there is. */
export function ImpactBar(props: { counts: Counts; most: number; benign: boolean }) {
  const { counts } = props;
  const shown: [Impact, number][] = [["aborted", counts.aborted], ["refused", counts.refused]];
  if (props.benign) shown.push(["unknown", counts.unknown], ["benign", counts.benign]);
  const most = Math.max(1, props.most);
  const text = `${count(harmful(counts))} harmful of ${count(total(counts))} resets`;
  return (
    <span class="bar" role="img" aria-label={text} title={shown.map(([name, value]) => `${name} ${count(value)}`).join(", ")}>
      {shown.filter(([, value]) => value > 0).map(([name, value]) => (
        <i key={name} class={name} style={{ width: `${Math.max(0.5, (100 * value) / most)}%` }} />
      ))}
    </span>
  );
}

export function Panel(props: { title: string; children: ComponentChildren; aside?: ComponentChildren; class?: string; id?: string }) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.title} id={props.id}>
      <header>
        <h2>{props.title}</h2>
        {props.aside && <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** What is there instead of an answer: that it is on its way, or why it does not come. */
export function Waiting(props: { answer: { isLoading: boolean; error: Refusal | undefined } }) {
  if (props.answer.error) return <Failure error={props.answer.error} />;
  return <p class="empty" role="status">Asking the collector…</p>;
}

export function Failure(props: { error: Refusal }) {
  const advice: Record<number, string> = {
    400: "Change the filters above, or take them away.",
    401: "Show the token of the collector.",
    403: "Your role does not allow it: an admin's token does.",
    404: "It is gone from the store, or never was there. Go back to the list.",
    429: "Wait a little: there is a limit on questions a minute.",
    503: "Try a shorter time, or again in a moment.",
  };
  const status = props.error.status;
  return (
    <div class="failure" role="alert">
      <b>{status === 0 ? "No answer" : `Not answered (${status})`}</b>
      <p>{props.error.message}</p>
      {advice[status] && <p class="faint">{advice[status]}</p>}
    </div>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <p class="empty" role="status">{props.children}</p>;
}

/** A sentence of the collector: what stands between backticks is code. */
export function Prose(props: { text: string }) {
  return <>{props.text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}

/** Says that an answer is an old one because the newest could not be had. */
export function Stale<T>(props: { answer: Answer<T> }) {
  if (!props.answer.error || props.answer.data === undefined) return null;
  return <Failure error={props.answer.error} />;
}

/** Says that an answer is not made of all events. */
export function Cut(props: { is: boolean }) {
  if (!props.is) return null;
  return <p class="empty" role="status">Made of the newest 20,000 events only, there are more: choose a shorter time to have all of them.</p>;
}

/** Names with their harmful resets, those not judged beside; each leads to the same view with that name as a filter. */
export function NameBars(props: { rows: ({ name: string } & Counts)[]; of: string; most?: number; to: (name: string) => View; label?: (name: string) => string }) {
  const current = useCell(view);
  const shown = props.rows.filter((row) => weight(row, current.benign) + row.unknown > 0).slice(0, props.most ?? 8);
  if (shown.length === 0) return <Empty>None in this time.</Empty>;
  const most = Math.max(1, ...shown.map((row) => weight(row, current.benign)));
  return (
    <table class="bars">
      <thead class="hidden"><tr><th>{props.of}</th><th>share</th><th>resets</th></tr></thead>
      <tbody>
        {shown.map((row) => (
          <tr key={row.name}>
            <th scope="row"><Link to={props.to(row.name)} title={row.name}>{(props.label ?? words)(row.name)}</Link></th>
            <td class="wide"><ImpactBar counts={row} most={most} benign={current.benign} /></td>
            <td class="number right">
              {count(weight(row, current.benign))}
              {!current.benign && row.unknown > 0 && <> <Link to={withFilter(props.to(row.name), "impact=unknown")} class="faint" title="those whose impact cannot be told">+ {count(row.unknown)} unknown</Link></>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
