import { useAnswer } from "../api";
import type { LogList, LogSourceRow } from "../answers";
import { count, share, words } from "../format";
import { Ago, Empty, Stale, Waiting } from "../parts/basic";
import { Table, type Column } from "../parts/table";

export function LogsPage() {
  const answer = useAnswer<LogList>("logs");
  const data = answer.data?.sources;
  const losses = Object.entries(answer.data?.losses ?? {});
  const columns: Column<LogSourceRow>[] = [
    { name: "source", title: "Source", cell: (row) => <b>{row.source}</b> },
    { name: "product", title: "Writes", cell: (row) => <>{words(row.product)} <span class="faint">by {row.via}</span></> },
    { name: "lines", title: "Lines", align: "right", cell: (row) => <span class="number">{count(row.lines)}</span> },
    { name: "sessions", title: "Sessions", align: "right", spare: 1, cell: (row) => <span class="number">{count(row.sessions)}</span> },
    { name: "joined", title: "Joined with a reset", align: "right", cell: (row) => <span class="number">{count(row.joined)} <span class="faint">({share(row.joined, row.sessions)})</span></span> },
    { name: "garbage", title: "Unreadable", align: "right", cell: (row) => <span class={`number ${row.garbage > 0 ? "bad" : ""}`}>{count(row.garbage)} <span class="faint">({share(row.garbage, row.lines)})</span></span> },
    { name: "offset", title: "Clock", align: "right", spare: 1, cell: (row) => <span class="number">{row.clock_offset_s == null ? "not learned" : `${row.clock_offset_s >= 0 ? "+" : "−"}${Math.abs(row.clock_offset_s).toFixed(1)} s`}{row.clock_zone && <span class="bad" title="its stamps seem to be in this zone: say so by timezone"> {row.clock_zone}</span>}</span> },
    { name: "last", title: "Last line", cell: (row) => <Ago at={row.last} /> },
    { name: "why", title: "Last unreadable one", spare: 2, cell: (row) => (row.last_garbage ? <code class="cut" title={row.last_garbage}>{row.last_garbage}</code> : "–") },
  ];
  return (
    <>
      <h1>Log sources</h1>
      <p class="lead">Firewalls and servers that write logs to this collector, and how well their lines can be read and joined with resets.</p>
      <Stale answer={answer} />
      {!data ? <Waiting answer={answer} /> : data.length === 0
        ? <Empty>No log has come. Let firewalls send syslog here, or name files to follow: section <code>[logs]</code> of the configuration.</Empty>
        : <div class="panel"><Table rows={data} columns={columns} label="Log sources" rowKey={(row) => `${row.source} ${row.via} ${row.product}`} /></div>}
      {losses.length > 0 && <p class="losses">Left out: {losses.map(([name, number]) => `${count(number)} ${words(name)}`).join(", ")}.</p>}
    </>
  );
}
