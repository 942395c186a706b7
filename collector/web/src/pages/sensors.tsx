import { useAnswer } from "../api";
import type { SensorRow } from "../answers";
import { about, bytes, count, share, span, words } from "../format";
import { isOfPackets, packetsCame } from "../losses";
import { Ago, Empty, Link, Stale, Waiting } from "../parts/basic";
import { Table, type Column } from "../parts/table";
import { useCell, view } from "../state";
import { onPage } from "../view";

export function SensorsPage() {
  const answer = useAnswer<SensorRow[]>("sensors");
  const data = answer.data;
  return (
    <>
      <h1>Sensors</h1>
      <p class="lead">Who sends to this collector, how each does, and what it could not see.</p>
      <Stale answer={answer} />
      {!data ? <Waiting answer={answer} /> : data.length === 0
        ? <Empty>No sensor has sent anything yet. Start one with <code>rstscope run --interface NAME</code>; if it runs already, <code>rstscope doctor</code> says what keeps it.</Empty>
        : data.map((row) => <Sensor key={row.sensor} row={row} />)}
    </>
  );
}

function Sensor(props: { row: SensorRow }) {
  const { row } = props;
  const { status } = row;
  const current = useCell(view);
  const lost = Object.entries(status.losses).filter(([, value]) => value > 0);
  const skipped = Object.entries(status.skips ?? {}).filter(([, value]) => value > 0);
  const queues: Column<SensorRow["status"]["queues"][number]>[] = [
    { name: "queue", title: "Queue", cell: (queue) => `${queue.interface} ${queue.queue}${queue.fibre ? ` (${queue.fibre})` : ""}` },
    { name: "up", title: "State", cell: (queue) => <span class={queue.is_up ? "good" : "bad"}>{queue.is_up ? "up" : "down"}</span> },
    { name: "mode", title: "Mode", spare: 1, cell: (queue) => queue.mode },
    { name: "clock", title: "Clock", spare: 2, cell: (queue) => queue.clock },
    { name: "packets", title: "Packets", align: "right", cell: (queue) => <span class="number">{count(queue.packets)}</span> },
    { name: "lost", title: "Lost", align: "right", cell: (queue) => <span class="number">{Object.entries(queue.losses).filter(([, value]) => value > 0).map(([name, value]) => `${words(name)} ${count(value)}`).join(", ") || "nothing"}</span> },
  ];
  const came = packetsCame(status);
  const loss = ([name, value]: [string, number]) => `${words(name)} ${count(value)}${isOfPackets(name, status) ? ` (${share(value, came)} of packets)` : ""}`;
  return (
    <section class="panel" aria-label={`Sensor ${row.sensor}`}>
      <header><h2>{row.sensor}</h2><div class="aside faint">last minute <Ago at={row.last} /></div></header>
      {status.tap.faults.map((fault) => <p key={fault.kind} class="note bad-note"><b>The tap:</b> {fault.text}</p>)}
      <dl class="facts">
        <div><dt>Running for</dt><dd class="number">{span(status.uptime_s)}</dd></div>
        <div><dt>Packets</dt><dd class="number" title={count(status.packets)}>{about(status.packets)} ({bytes(status.bytes)})</dd></div>
        <div><dt>Connections now</dt><dd class="number">{count(status.flows)}{status.flows_max > 0 && ` of room for ${about(status.flows_max)} (${share(status.flows, status.flows_max)})`}</dd></div>
        <div><dt>Resets</dt><dd class="number"><Link to={{ ...onPage(current, "events"), sensor: row.sensor }}>{count(status.resets)}</Link> of {about(status.connections.opened + status.connections.midstream)} connections</dd></div>
        <div><dt>Behind its packets</dt><dd class="number">{span(status.exporter_lag_s)}</dd></div>
        <div><dt>Lost</dt><dd class={`number ${lost.length > 0 ? "bad" : ""}`}>{lost.length === 0 ? "nothing" : lost.map(loss).join(", ")}</dd></div>
        <div><dt>Not judged, no loss</dt><dd class="number">{skipped.length === 0 ? "nothing" : skipped.map(([name, value]) => `${words(name)} ${count(value)}`).join(", ")}</dd></div>
        <div><dt>Records here</dt><dd class="number">{count(row.records)}; {count(row.repeated)} came more than once and were kept once</dd></div>
        <div><dt>Missing on the way</dt><dd class={`number ${row.missing > 0 ? "bad" : ""}`}>{row.missing === 0 ? "none" : count(row.missing)}</dd></div>
      </dl>
      {status.queues.length > 0 && <Table rows={status.queues} columns={queues} label={`Queues of ${row.sensor}`} rowKey={(queue) => `${queue.interface} ${queue.queue}`} />}
    </section>
  );
}
