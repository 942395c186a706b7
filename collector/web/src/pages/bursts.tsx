import { useAnswer } from "../api";
import type { BurstRow, RowList } from "../answers";
import { count, endpoint, instant, span } from "../format";
import { Cut, Empty, Link, Stale, Time, Waiting } from "../parts/basic";
import { Table, type Column } from "../parts/table";
import { useCell, view } from "../state";
import { onPage, question } from "../view";

export function BurstsPage() {
  const current = useCell(view);
  const answer = useAnswer<RowList<BurstRow>>("bursts", question(current));
  const data = answer.data;
  const columns: Column<BurstRow>[] = [
    { name: "first", title: "When", width: "11rem", cell: (row) => <Link to={onPage(current, "events", row.example)} class="main"><Time at={row.first} /></Link> },
    { name: "span", title: "Within", align: "right", cell: (row) => <span class="number">{span((instant(row.last) - instant(row.first)) / 1000)}</span> },
    { name: "server", title: "Server", cell: (row) => <Link to={onPage(current, "servers", endpoint(row.server))} class="address">{endpoint(row.server)}</Link> },
    { name: "events", title: "Kept", align: "right", spare: 1, cell: (row) => <span class="number">{count(row.events)}</span> },
    { name: "sentence", title: "What it was", cell: (row) => row.sentence },
  ];
  return (
    <>
      <h1>Bursts</h1>
      <p class="lead">Many connections of one server cut together: a process died or restarted, a session table was flushed, a device failed over. Look at that server's log at that second.</p>
      <Stale answer={answer} />
      <Cut is={data?.is_cut ?? false} />
      {!data ? <Waiting answer={answer} /> : data.rows.length === 0 ? <Empty>No burst in this time.</Empty>
        : <div class="panel sentences"><Table rows={data.rows} columns={columns} label="Bursts" rowKey={(row) => row.example + row.first} /></div>}
    </>
  );
}
