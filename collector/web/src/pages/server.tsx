import { useAnswer } from "../api";
import type { ServerDetail } from "../answers";
import { harmful } from "../answers";
import { about, count, origin, share, words } from "../format";
import { Ago, attempts, Cut, Empty, ImpactMark, Link, NameBars, Panel, Stale, Waiting } from "../parts/basic";
import { eventColumns } from "../parts/columns";
import { SpreadChart } from "../parts/spread";
import { Table } from "../parts/table";
import { Timeline } from "../parts/timeline";
import { Timers } from "../parts/timers";
import { listed, useCell, view } from "../state";
import { onPage, question, withFilter } from "../view";
import { meaning } from "../words";

export function ServerPage() {
  const current = useCell(view);
  const answer = useAnswer<ServerDetail>(`servers/${encodeURIComponent(current.key)}`, question(current));
  const data = answer.data;
  const name = current.key;
  if (!data) return <><h1 class="address">{name}</h1><Waiting answer={answer} /></>;
  const { summary } = data;
  listed.rows = data.events;
  const here = (filter: string) => withFilter(withFilter(onPage(current, "events"), `server=${name}`), filter);
  const whole = attempts(summary.connections);
  return (
    <>
      <p class="crumbs"><Link to={onPage(current, "servers")}>Servers</Link></p>
      <div class="heading">
        <h1 class="address">{name}</h1>
        <Link to={withFilter(onPage(current, "events"), `server=${name}`)} class="button">its resets</Link>
      </div>
      <Stale answer={answer} />
      <Cut is={answer.data?.idle.is_cut ?? false} />
      <section class="headline" aria-label="In short">
        <div class="big">
          <p class="figure number">{count(harmful(summary.resets))}</p>
          <p>harmful resets of <b class="number" title={count(whole)}>{about(whole)}</b> connections <span class="faint number">({share(harmful(summary.resets), whole)})</span></p>
        </div>
        <dl>
          {(["aborted", "refused", "unknown", "benign"] as const).map((impact) => (
            <div key={impact}><dt><ImpactMark impact={impact} /></dt><dd><Link to={{ ...here(`impact=${impact}`), benign: impact === "benign" }}>{count(summary.resets[impact])}</Link></dd></div>
          ))}
        </dl>
        <p class="faint fates">
          About <b class="number">{count(summary.clients)}</b> {summary.clients === 1 ? "client was" : "clients were"} reset, the last <Ago at={summary.last} />.{" "}
          <b class="number">{about(summary.connections.closed_well)}</b> connections closed well.
        </p>
      </section>
      <Panel title="Over time, by cause"><Timeline series={data.series} stepS={data.step_s} label={`Resets of ${name} over time`} height={170} /></Panel>
      <div class="columns">
        <Panel title="Why"><NameBars rows={data.by_cause} of="cause" to={(cause) => here(`cause=${cause}`)} /></Panel>
        <Panel title="Who and when">
          <NameBars rows={data.by_origin} of="origin" to={(who) => here(`origin=${who}`)} label={origin} />
          <h3>How far the connections had come</h3>
          <NameBars rows={data.by_stage} of="stage" to={(stage) => here(`stage=${stage}`)} label={(stage) => meaning("stage", stage).replace(/\.$/, "") || words(stage)} />
        </Panel>
      </div>
      <div class="columns">
        <Panel title="Silence before the reset"><SpreadChart spread={data.idle.spread} timers={data.idle.timers} label="Silence before the reset" unit="s" /><Timers timers={data.idle.timers} all={data.idle.spread.count} /></Panel>
        <Panel title="Time from the first packet to the reset"><SpreadChart spread={data.time_to_reset_s} label="Time to the reset" unit="s" /></Panel>
      </div>
      <div class="columns">
        <Panel title="Clients reset most"><Clients rows={data.top_clients} to={(ip) => here(`client=${ip}`)} /></Panel>
        <Panel title="Payload before the reset"><SpreadChart spread={data.bytes_before} label="Payload bytes before the reset" unit="B" /></Panel>
      </div>
      <Panel title="Some of them" aside={<Link to={withFilter(onPage(current, "events"), `server=${name}`)}>all</Link>}>
        {data.events.length > 0
          ? <Table rows={data.events} columns={eventColumns().filter((column) => column.name !== "server")} label={`Resets of ${name}`} rowKey={(row) => row.id} />
          : <Empty>None of its resets is kept one by one.</Empty>}
      </Panel>
    </>
  );
}

function Clients(props: { rows: { ip: string; count: number }[]; to: (ip: string) => ReturnType<typeof onPage> }) {
  if (props.rows.length === 0) return <Empty>None in this time.</Empty>;
  const most = Math.max(...props.rows.map((row) => row.count));
  return (
    <table class="bars">
      <thead class="hidden"><tr><th>client</th><th>share</th><th>resets</th></tr></thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={row.ip}>
            <th scope="row"><Link to={props.to(row.ip)} class="address">{row.ip}</Link></th>
            <td class="wide"><span class="bar" aria-hidden="true"><i class="plain" style={{ width: `${(100 * row.count) / most}%` }} /></span></td>
            <td class="number right" title="at most">{count(row.count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
