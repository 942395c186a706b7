import { useAnswer } from "../api";
import type { Overview, SensorRow, ServerSummary } from "../answers";
import { harmful, total, weight } from "../answers";
import { about, count, endpoint, origin, server, share, words } from "../format";
import { Ago, attempts, Empty, ImpactBar, ImpactMark, Link, NameBars, Panel, Stale, Waiting } from "../parts/basic";
import { Losses } from "../parts/losses";
import { Timeline } from "../parts/timeline";
import { Table, type Column } from "../parts/table";
import { fresh, missed, useCell, view } from "../state";
import { isOfServers, onPage, question, withFilter } from "../view";
import { meaning } from "../words";

export function OverviewPage() {
  const current = useCell(view);
  const answer = useAnswer<Overview>("overview", question(current));
  const sensors = useAnswer<SensorRow[]>("sensors");
  const data = answer.data;
  if (!data) return <Waiting answer={answer} />;
  const none = attempts(data.connections) === 0 && total(data.resets) === 0;
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Stale answer={answer} />
      <Losses losses={data.losses} overflow={data.overflow} sensors={sensors.data ?? []} />
      {none ? <Nothing sensors={sensors.data} /> : <>
        <Headline data={data} />
        <Panel title={current.benign ? "Resets over time, by cause" : "Harmful resets over time, by cause"}>
          <Timeline series={data.series} stepS={data.step_s} label="Resets over time" />
        </Panel>
        <div class="columns">
          <Panel title="Why"><NameBars rows={data.by_cause} of="cause" to={(name) => withFilter(onPage(current, "events"), `cause=${name}`)} /></Panel>
          <Panel title="Who">
            <NameBars rows={data.by_origin} of="origin" to={(name) => withFilter(onPage(current, "events"), `origin=${name}`)} label={origin} />
            <h3>How far the connections had come</h3>
            <NameBars rows={data.by_stage} of="stage" to={(name) => withFilter(onPage(current, "events"), `stage=${name}`)} label={(name) => meaning("stage", name).replace(/\.$/, "") || words(name)} />
          </Panel>
        </div>
        <div class="columns">
          <Panel title="Servers with the most harm" aside={<Link to={onPage(current, "servers")}>all servers</Link>}>
            <TopServers rows={data.servers} />
          </Panel>
          <Panel title="As they come"><Fresh /></Panel>
        </div>
      </>}
    </>
  );
}

function Headline(props: { data: Overview }) {
  const current = useCell(view);
  const { resets, connections } = props.data;
  const whole = attempts(connections);
  const bad = harmful(resets);
  const only = (filter: string) => withFilter(onPage(current, "events"), filter);
  return (
    <section class="headline" aria-label="In short">
      <div class="big">
        <p class="figure number">{count(bad)}</p>
        <p>harmful resets of <b class="number" title={count(whole)}>{about(whole)}</b> connections <span class="faint number">({share(bad, whole)})</span></p>
      </div>
      <dl>
        <div><dt><ImpactMark impact="aborted" /></dt><dd><Link to={only("impact=aborted")}>{count(resets.aborted)}</Link><small>{meaning("impact", "aborted")}</small></dd></div>
        <div><dt><ImpactMark impact="refused" /></dt><dd><Link to={only("impact=refused")}>{count(resets.refused)}</Link><small>{meaning("impact", "refused")}</small></dd></div>
        <div><dt><ImpactMark impact="unknown" /></dt><dd><Link to={only("impact=unknown")}>{count(resets.unknown)}</Link><small>{meaning("impact", "unknown")}</small></dd></div>
        <div><dt><ImpactMark impact="benign" /></dt><dd><Link to={{ ...only("impact=benign"), benign: true }}>{count(resets.benign)}</Link><small>{current.benign ? "shown below" : "hidden below"}</small></dd></div>
      </dl>
      <p class="faint fates">
        Of {isOfServers(current) ? "these" : "all"} connections <b class="number">{about(connections.closed_well)}</b> closed well,{" "}
        {!isOfServers(current) && <>
          <b class="number">{about(connections.timed_out)}</b> fell silent, <b class="number">{about(connections.unanswered)}</b> got no answer,{" "}
        </>}
        <b class="number">{about(connections.reset)}</b> ended by a reset.
      </p>
    </section>
  );
}

function TopServers(props: { rows: ServerSummary[] }) {
  const current = useCell(view);
  const shown = props.rows.slice(0, 10);
  const most = Math.max(1, ...shown.map((row) => weight(row.resets, current.benign)));
  if (shown.length === 0) return <Empty>No server had a reset in this time.</Empty>;
  const columns: Column<ServerSummary>[] = [
    { name: "server", title: "Server", cell: (row) => <Link to={onPage(current, "servers", server(row.server))} class="main address">{server(row.server)}</Link> },
    { name: "harm", title: "Harmful of connections", cell: (row) => <span class="number">{count(harmful(row.resets))} of {about(attempts(row.connections))} <span class="faint">({share(harmful(row.resets), attempts(row.connections))})</span>{row.resets.unknown > 0 && <span class="faint"> + {count(row.resets.unknown)} unknown</span>}</span> },
    { name: "bar", title: "", spare: 2, cell: (row) => <ImpactBar counts={row.resets} most={most} benign={current.benign} /> },
    { name: "cause", title: "Mostly", spare: 1, cell: (row) => row.causes[0] ? <span title={meaning("cause", row.causes[0].name)}>{words(row.causes[0].name)}</span> : "–" },
  ];
  return <Table rows={shown} columns={columns} label="Servers with the most harm" rowKey={(row) => server(row.server)} />;
}

function Fresh() {
  const rows = useCell(fresh);
  const current = useCell(view);
  const gone = useCell(missed);
  if (rows.length === 0 && gone === 0) return <Empty>Harmful resets appear here the moment they are told.</Empty>;
  return (
    <><ul class="fresh" aria-live="off">
      {rows.slice(0, 12).map((row) => (
        <li key={row.id}>
          <Ago at={row.ts} /> <ImpactMark impact={row.impact} />{" "}
          <Link to={onPage(current, "events", row.id)}>{words(row.cause)}</Link> <span class="faint">by {origin(row.origin)}, {endpoint(row.server)}</span>
        </li>
      ))}
    </ul>
    {gone > 0 && <p class="faint">{count(gone)} {gone === 1 ? "reset" : "resets"} came too fast to be looked at here; the counts hold them.</p>}
    </>
  );
}

function Nothing(props: { sensors: SensorRow[] | undefined }) {
  const current = useCell(view);
  if (props.sensors === undefined) return <Empty>Nothing was seen in this time.</Empty>;
  if (props.sensors.length > 0) {
    return (
      <Empty>
        No connection was seen in this time{current.filters.length > 0 ? " by these filters" : ""}. <Link to={{ ...onPage(current, "overview"), time: { last: "400d" }, filters: [] }}>Show all there is</Link>, or look at the <Link to={onPage(current, "sensors")}>sensors</Link>.
      </Empty>
    );
  }
  return (
    <div class="panel">
      <h2>No sensor has told anything yet</h2>
      <p>Counts come once a minute and resets some seconds after they were seen. To see something at once, play known resets with <code>rstscope demo</code>; if a sensor runs, ask <code>rstscope doctor</code> what keeps it.</p>
    </div>
  );
}
