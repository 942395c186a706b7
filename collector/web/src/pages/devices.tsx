import { useAnswer } from "../api";
import type { DeviceRow, RowList } from "../answers";
import { harmful, total } from "../answers";
import { count, words } from "../format";
import { Ago, Cut, Empty, Link, Stale, Waiting } from "../parts/basic";
import { Table, type Column } from "../parts/table";
import { useCell, view } from "../state";
import { onPage, question } from "../view";
import { meaning } from "../words";

export function DevicesPage() {
  const current = useCell(view);
  const answer = useAnswer<RowList<DeviceRow>>("devices", question(current));
  const data = answer.data;
  const columns: Column<DeviceRow>[] = [
    { name: "device", title: "Device", cell: (row) => <Link to={onPage(current, "events", row.example)} class="main" title="one of its resets">{words(row.device)}</Link> },
    { name: "hops", title: "Away", align: "right", cell: (row) => <span class="number">{row.hops == null ? "varies" : row.hops === 0 ? "on this link" : row.hops === 1 ? "1 hop" : `${row.hops} hops`}</span> },
    { name: "harmful", title: "Harmful", align: "right", cell: (row) => <b class="number">{count(harmful(row.resets))}</b> },
    { name: "resets", title: "of its resets", align: "right", cell: (row) => <span class="number">{count(total(row.resets))}</span> },
    { name: "servers", title: "In the name of", align: "right", spare: 1, cell: (row) => <span class="number">{row.servers === 1 ? "1 server" : `${count(row.servers)} servers`}</span> },
    { name: "causes", title: "Mostly", spare: 1, cell: (row) => row.causes.slice(0, 3).map((cause) => <span key={cause.name} class="cause" title={meaning("cause", cause.name)}>{words(cause.name)} <span class="faint number">{count(total(cause))}</span></span>) },
    { name: "sensor", title: "Seen by", spare: 2, cell: (row) => row.sensor },
    { name: "last", title: "Last", spare: 1, cell: (row) => <Ago at={row.last} /> },
  ];
  return (
    <>
      <h1>Devices</h1>
      <p class="lead">Boxes in the path that sent resets in the name of others, told apart by their packets. Hops are counted from the sensor to them.</p>
      <Stale answer={answer} />
      <Cut is={data?.is_cut ?? false} />
      {!data ? <Waiting answer={answer} /> : data.rows.length === 0 ? <Empty>No reset in this time came from a device in the path.</Empty>
        : <div class="panel"><Table rows={data.rows} columns={columns} label="Devices" rowKey={(row) => `${row.sensor} ${row.device} ${row.example}`} /></div>}
    </>
  );
}
