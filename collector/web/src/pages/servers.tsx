import { useEffect, useState } from "preact/hooks";
import type { ServerSummary } from "../answers";
import { harmful, total, weight } from "../answers";
import { about, count, server, share, words } from "../format";
import { Ago, attempts, Empty, Failure, ImpactBar, Link } from "../parts/basic";
import { LongTable, type Column } from "../parts/table";
import { useRows } from "../rows";
import { go, useCell, view } from "../state";
import { onPage, question } from "../view";
import { meaning } from "../words";

export function ServersPage() {
  const current = useCell(view);
  const search = question(current);
  if (current.sort) search.set("sort", current.sort);
  if (current.search) search.set("search", current.search);
  const rows = useRows<ServerSummary>("servers", search);
  // By any order the longest bar is full.
  const most = rows.loaded().reduce((most, row) => Math.max(most, weight(row.resets, current.benign)), 1);
  return (
    <>
      <div class="heading">
        <h1>Servers</h1>
        <SearchField />
      </div>
      {rows.error && <Failure error={rows.error} />}
      {rows.total === 0 && !rows.error
        ? <Empty>{rows.isLoading ? "Asking the collector…" : current.search ? `No server's address holds “${current.search}” in this time.` : "No server was seen in this time and by these filters."}</Empty>
        : <LongTable rows={rows} columns={columns(most)} label="Servers" what="servers" rowKey={(row) => server(row.server)} />}
    </>
  );
}

function columns(most: number): Column<ServerSummary>[] {
  const current = view.value;
  return [
    { name: "server", title: "Server", sorts: true, width: "15rem", cell: (row) => <Link to={onPage(current, "servers", server(row.server))} class="main address">{server(row.server)}</Link> },
    { name: "harmful", title: "Harmful", sorts: true, align: "right", width: "6rem", cell: (row) => <b class="number">{count(harmful(row.resets))}</b> },
    { name: "connections", title: "of connections", sorts: true, align: "right", width: "8rem", cell: (row) => <span class="number" title={count(attempts(row.connections))}>{about(attempts(row.connections))}</span> },
    { name: "share", title: "Share", sorts: true, align: "right", width: "6rem", cell: (row) => <span class="number">{share(harmful(row.resets), attempts(row.connections))}</span> },
    { name: "bar", title: "", spare: 2, width: "8rem", cell: (row) => <ImpactBar counts={row.resets} most={most} benign={current.benign} /> },
    { name: "aborted", title: "Aborted", sorts: true, align: "right", spare: 2, cell: (row) => <span class="number">{count(row.resets.aborted)}</span> },
    { name: "refused", title: "Refused", sorts: true, align: "right", spare: 2, cell: (row) => <span class="number">{count(row.resets.refused)}</span> },
    { name: "unknown", title: "Unknown", align: "right", spare: 2, cell: (row) => <span class="number" title="whose impact cannot be told">{count(row.resets.unknown)}</span> },
    { name: "clients", title: "Clients", align: "right", spare: 1, cell: (row) => <span class="number" title="about: counted to 3 %">{count(row.clients)}</span> },
    { name: "causes", title: "Mostly", spare: 1, cell: (row) => row.causes.slice(0, 2).map((cause) => <span key={cause.name} class="cause" title={meaning("cause", cause.name)}>{words(cause.name)} <span class="faint number">{count(total(cause))}</span></span>) },
    { name: "last", title: "Last", sorts: true, spare: 1, width: "6.5rem", cell: (row) => <Ago at={row.last} /> },
  ];
}

function SearchField() {
  const current = useCell(view);
  const [text, setText] = useState(current.search);
  useEffect(() => setText(current.search), [current.search]);
  useEffect(() => {
    if (text === current.search) return undefined;
    // Not at every key: the question goes to a store.
    const later = setTimeout(() => go({ ...view.value, search: text }, true), 250);
    return () => clearTimeout(later);
  }, [text]);
  return <input type="search" value={text} placeholder="part of an address or :port" aria-label="Search servers" onInput={(event) => setText(event.currentTarget.value)} />;
}
