import { useAnswer } from "../api";
import type { DisagreementRow, RowList } from "../answers";
import { count, origin } from "../format";
import { Cut, Empty, Link, Stale, Waiting } from "../parts/basic";
import { AGREEMENTS } from "../parts/columns";
import { Table, type Column } from "../parts/table";
import { useCell, view } from "../state";
import { onPage, question } from "../view";

export function DisagreementsPage() {
  const current = useCell(view);
  const answer = useAnswer<RowList<DisagreementRow>>("disagreements", question(current));
  const data = answer.data;
  const columns: Column<DisagreementRow>[] = [
    { name: "source", title: "Log of", cell: (row) => <Link to={onPage(current, "events", row.example)} class="main" title="the last of them">{row.source}</Link> },
    { name: "rule", title: "Rule", cell: (row) => (row.rule ? <code>{row.rule}</code> : <span class="faint">none named</span>) },
    { name: "said", title: "It says", cell: (row) => <code>{row.said}</code> },
    { name: "origin", title: "Packets say", cell: (row) => origin(row.origin) },
    { name: "agreement", title: "", cell: (row) => <span class={`tag ${row.agreement}`}>{AGREEMENTS[row.agreement]}</span> },
    { name: "count", title: "Sessions", align: "right", cell: (row) => <b class="number">{count(row.count)}</b> },
    { name: "sentence", title: "What follows, of the last one", spare: 1, cell: (row) => row.item.sentence },
  ];
  return (
    <>
      <h1>Disagreements</h1>
      <p class="lead">Sessions whose end a firewall's or server's log blames on somebody else than the packets do, by the rule that the log names.</p>
      <Stale answer={answer} />
      <Cut is={data?.is_cut ?? false} />
      {!data ? <Waiting answer={answer} /> : data.rows.length === 0
        ? <Empty>No log disagrees with the packets in this time. If there should be logs, look at the <Link to={onPage(current, "logs")}>log sources</Link>.</Empty>
        : <div class="panel sentences"><Table rows={data.rows} columns={columns} label="Disagreements" rowKey={(row) => `${row.source} ${row.rule} ${row.said} ${row.origin} ${row.agreement}`} /></div>}
    </>
  );
}
