// Columns of tables of events, the same wherever events are listed.

import type { EventRow } from "../answers";
import { band, endpoint, origin, sure, words } from "../format";
import { view } from "../state";
import { onPage, withFilter } from "../view";
import { ImpactMark, Link, Time } from "./basic";
import type { Column } from "./table";

export const AGREEMENTS: Record<string, string> = {
  confirmed: "logs agree", contradicted: "logs contradict", refined: "logs add", neutral: "logged", absent: "not logged",
};

export function eventColumns(): Column<EventRow>[] {
  const filter = (text: string) => withFilter(onPage(view.value, "events"), text);
  return [
    {
      name: "ts", title: "When", width: "13.2rem",
      cell: (row) => <Link to={onPage(view.value, "events", row.id)} class="main"><Time at={row.ts} precise /></Link>,
    },
    { name: "impact", title: "Impact", width: "5.6rem", cell: (row) => <ImpactMark impact={row.impact} /> },
    {
      name: "cause", title: "Why", width: "16rem",
      cell: (row) => <><Link to={filter(`cause=${row.cause}`)} title={`${row.cause}: show only these`}>{words(row.cause)}</Link> <span class="faint number" title={band(row.cause_confidence)}>{sure(row.cause_confidence)}</span></>,
    },
    {
      name: "origin", title: "Who", width: "13rem",
      cell: (row) => <><Link to={filter(`origin=${row.origin}`)} title={`${row.origin}: show only these`}>{origin(row.origin)}</Link> <span class="faint number" title={band(row.origin_confidence)}>{sure(row.origin_confidence)}</span></>,
    },
    { name: "server", title: "Server", cell: (row) => <Link to={onPage(view.value, "servers", endpoint(row.server))} class="address">{endpoint(row.server)}</Link> },
    { name: "client", title: "Client", spare: 1, cell: (row) => <Link to={filter(`client=${row.client.ip}`)} class="address" title="show only this client">{endpoint(row.client)}</Link> },
    { name: "stage", title: "Stage", spare: 2, width: "5.5rem", cell: (row) => <span class="faint">{words(row.stage)}</span> },
    {
      name: "proof", title: "Beside", spare: 2, width: "10.6rem",
      cell: (row) => <>
        {row.has_evidence && <span class="tag" title="the last packets were kept">packets</span>}
        {row.agreement && <span class={`tag ${row.agreement}`} title="what firewall and server logs say">{AGREEMENTS[row.agreement]}</span>}
      </>,
    },
  ];
}
