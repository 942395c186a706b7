import { useEffect, useState } from "preact/hooks";
import { ask, download, Refusal, useAnswer } from "../api";
import type { EventDetail, EventList, Explanation, LogItem, Reason } from "../answers";
import { band, count, endpoint, instant, origin, sure, words } from "../format";
import { Empty, Failure, ImpactMark, Link, Panel, Prose, Stale, Time, Waiting } from "../parts/basic";
import { AGREEMENTS, eventColumns } from "../parts/columns";
import { Ladder } from "../parts/ladder";
import { Table } from "../parts/table";
import { go, listed, useCell, view } from "../state";
import { onPage, question, withFilter } from "../view";
import { meaning } from "../words";

export function EventPage() {
  const current = useCell(view);
  const answer = useAnswer<EventDetail>(`history/${encodeURIComponent(current.key)}`);
  const data = answer.data;
  if (!data) {
    return <><Neighbours at={undefined} /><h1>Reset {current.key}</h1><Waiting answer={answer} /></>;
  }
  const { event, explanation } = data;
  return (
    <>
      <Neighbours at={event.ts} />
      <Stale answer={answer} />
      <Verdict data={data} />
      <div class="columns flow">
        <div>
          <Panel title="The packets" aside={data.ladder.length > 0 && <Download id={event.id} />}>
            {data.ladder.length > 0
              ? <Ladder rungs={data.ladder} event={event} />
              : <Empty>Its packets were not kept: evidence is off at the sensor, not sent for this kind of reset, or older than what the store keeps.</Empty>}
          </Panel>
          <Panel title="What was seen">
            <p>{explanation.connection}</p>
            <p>{explanation.reset}</p>
            {explanation.view && <p class="note">{explanation.view}</p>}
            <Facts data={data} />
          </Panel>
          <Logs items={event.corroboration ?? []} conclusion={event.conclusion?.sentence} />
        </div>
        <div>
          <Panel title="The evidence"><Weights explanation={explanation} claimed={event.claimed} /></Panel>
          <Panel title="What else it could be"><Readings explanation={explanation} /></Panel>
          <Panel title="What would disprove it">
            <ul>{explanation.disproofs.map((text) => <li key={text}><Prose text={text} /></li>)}</ul>
            {explanation.alike.map((text) => <p key={text} class="note">{text}</p>)}
          </Panel>
        </div>
      </div>
      {data.same_connection.length > 0 && (
        <Panel title="Other resets of the same connection">
          <Table rows={data.same_connection} columns={eventColumns()} label="Other resets of the same connection" rowKey={(row) => row.id} />
        </Panel>
      )}
    </>
  );
}

function Verdict(props: { data: EventDetail }) {
  const { event, explanation } = props.data;
  const current = useCell(view);
  const final = event.conclusion ?? event;
  return (
    <section class={`verdict ${event.impact}`} aria-label="The verdict">
      <p class="line">
        <ImpactMark impact={event.impact} /> <Time at={event.ts} precise />{" "}
        <Link to={withFilter(onPage(current, "events"), `client=${event.client.ip}`)} class="address">{endpoint(event.client)}</Link> to{" "}
        <Link to={onPage(current, "servers", endpoint(event.server))} class="address">{endpoint(event.server)}</Link>
        {event.status === "provisional" && <span class="tag">provisional: still being watched</span>}
      </p>
      <h1>{explanation.headline}</h1>
      <dl class="wws">
        <div><dt>Who</dt><dd><b>{origin(final.origin)}</b> <span class="number">{sure(final.origin_confidence)}</span> <span class="faint">{band(final.origin_confidence)}</span><small>{meaning("origin", final.origin)}</small></dd></div>
        <div><dt>Why</dt><dd><b>{words(final.cause)}</b> <span class="number">{sure(final.cause_confidence)}</span> <span class="faint">{band(final.cause_confidence)}</span><small>{meaning("cause", final.cause)}</small></dd></div>
        <div><dt>Effect</dt><dd>{explanation.effect} {explanation.cost}</dd></div>
        {explanation.location && <div><dt>Where</dt><dd>{explanation.location}</dd></div>}
      </dl>
      {event.conclusion && <p class="note"><b>With the logs:</b> {event.conclusion.sentence} <span class="faint">By packets alone: {words(event.cause)} by {origin(event.origin)} ({sure(event.origin_confidence)}).</span></p>}
      <div class="story">
        <div>{explanation.why.map((text) => <p key={text}><Prose text={text} /></p>)}{explanation.others.map((text) => <p key={text}><Prose text={text} /></p>)}</div>
        <div class="todo">
          <h2>What to do</h2>
          <ol>{explanation.steps.map((text) => <li key={text}><Prose text={text} /></li>)}</ol>
        </div>
      </div>
    </section>
  );
}

/** Weights as bars from the middle: to the right they speak for the named sender, to the left against. */
function Weights(props: { explanation: Explanation; claimed: string }) {
  const { reasons, proof } = props.explanation;
  const most = Math.max(20, ...reasons.map((reason) => Math.abs(reason.decibans)));
  return (
    <>
      <p>{proof}.</p>
      <div class="scale faint" aria-hidden="true"><span>← the {props.claimed} did not send it</span><span>the {props.claimed} sent it →</span></div>
      <ol class="weights">
        {reasons.map((reason, index) => <Weight key={index} reason={reason} most={most} />)}
      </ol>
      <p class="faint">{props.explanation.sure}</p>
    </>
  );
}

function Weight(props: { reason: Reason; most: number }) {
  const { reason, most } = props;
  const wide = (50 * Math.min(Math.abs(reason.decibans), most)) / most;
  const side = reason.decibans < 0 ? "against" : "for";
  const text = reason.decibans === 0 ? "seen" : `${reason.decibans > 0 ? "+" : "−"}${Math.abs(Math.round(reason.decibans))} dB`;
  return (
    <li>
      <span class="weight-bar" role="img" aria-label={reason.decibans === 0 ? "bears on the cause only" : `${text}, speaks ${side} the named sender`}>
        {reason.decibans !== 0 && <i class={side} style={{ width: `${wide}%`, [side === "for" ? "left" : "right"]: "50%" }} />}
      </span>
      <span class="number weight">{text}</span>
      <div>
        <p>{reason.text} {reason.number && <span class="tag" title="its number in the catalogue of clues">{reason.number}</span>}</p>
        {(reason.ground || reason.void) && <p class="faint small">{reason.ground} {reason.void && `Void ${reason.void}`}</p>}
      </div>
    </li>
  );
}

function Readings(props: { explanation: Explanation }) {
  const { readings } = props.explanation;
  if (readings.length === 0) return <Empty>No other reading has one chance in a hundred.</Empty>;
  return (
    <ul class="readings">
      {readings.map((reading) => (
        <li key={`${reading.origin} ${reading.cause}`}>
          <p><b>{words(reading.cause)}</b> by {origin(reading.origin)} <span class="number">{sure(reading.confidence)}</span></p>
          <p class="faint small">Then: {reading.meaning}</p>
        </li>
      ))}
    </ul>
  );
}

function Logs(props: { items: LogItem[]; conclusion: string | undefined }) {
  if (props.items.length === 0) return <Panel title="What logs say"><Empty>No log line of a firewall or server speaks of this connection.</Empty></Panel>;
  return (
    <Panel title="What logs say">
      <ul class="logs">
        {props.items.map((item) => (
          <li key={`${item.source}${item.ts}${item.line}`}>
            <p>
              <span class={`tag ${item.agreement}`}>{AGREEMENTS[item.agreement]}</span> <b>{item.source}</b> <span class="faint">({words(item.product)})</span> says <code>{item.said}</code>
              {item.rule && <> by rule <code>{item.rule}</code></>}{item.threat && <>, threat <code>{item.threat}</code></>}
            </p>
            <p>{item.sentence}</p>
            {item.line && <p class="faint small">Its clock said <Time at={item.ts} />{item.clock_offset_s != null && `, which is ${item.clock_offset_s.toFixed(1)} s ahead of ours`}; matched by {words(item.matched)} addresses.</p>}
            {item.line && <pre>{item.line}</pre>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Facts(props: { data: EventDetail }) {
  const { event, sensor } = props.data;
  const facts: [string, string][] = [
    ["Community ID", event.community_id], ["Event", event.id], ["Sensor", sensor],
    ["Seen at", event.file ? `${event.file}${event.frame ? `, frame ${event.frame}` : ""}` : (event.interface ?? "–")],
    ["Rule", event.rule], ["Stage", words(event.stage)], ["Role", event.role], ["Revision", String(event.revision ?? 0)],
    ["Resets of this connection", count(event.rst_count)],
  ];
  return <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd><code>{value}</code></dd></div>)}</dl>;
}

function Download(props: { id: string }) {
  const [problem, setProblem] = useState<Refusal>();
  const fetchIt = async () => {
    setProblem(undefined);
    try {
      await download(`history/${encodeURIComponent(props.id)}/evidence.pcapng`, `rstscope-${props.id}.pcapng`);
    } catch (error) {
      setProblem(error instanceof Refusal ? error : new Refusal(0, String(error)));
    }
  };
  return <><button type="button" class="button" onClick={() => void fetchIt()}>Download pcapng</button>{problem && <Failure error={problem} />}</>;
}

/** To the next and the previous reset of the list that led here; of a pasted link, by time. */
function Neighbours(props: { at: string | undefined }) {
  const current = useCell(view);
  const at = listed.rows.findIndex((row) => row.id === current.key);
  const [problem, setProblem] = useState("");
  useEffect(() => setProblem(""), [current.key]);
  const to = async (older: boolean) => {
    const near = at >= 0 ? listed.rows[at + (older ? 1 : -1)] : undefined;
    const id = near?.id ?? (props.at ? await beside(props.at, current.key, older) : undefined);
    if (id) go({ ...current, key: id });
    else setProblem(older ? "This is the oldest one." : "This is the newest one.");
  };
  return (
    <div class="crumbs">
      <Link to={onPage(current, "events")}>Resets</Link>
      <span class="neighbours">
        <button type="button" class="quiet" id="previous" onClick={() => void to(false)} title="newer (k)">↑ newer</button>
        <button type="button" class="quiet" id="next" onClick={() => void to(true)} title="older (j)">↓ older</button>
        <span class="faint" role="status">{problem}</span>
      </span>
    </div>
  );
}

/** The reset nearest in time, by the filters of the view: lists are newest first, so for a newer one the time asked for grows. */
async function beside(at: string, id: string, older: boolean): Promise<string | undefined> {
  const ms = instant(at);
  for (const span of older ? [400 * 86_400] : [10, 600, 36_000, 400 * 86_400]) {
    const search = question(view.value, { onlyHarmful: true, time: false });
    search.set("from", new Date(older ? Math.max(0, ms - span * 1000) : ms).toISOString());
    search.set("to", new Date(older ? ms + 1 : ms + span * 1000).toISOString());
    search.set("limit", older ? "20" : "1000");
    const { rows } = await ask<EventList>("history", search);
    const here = rows.findIndex((row) => row.id === id);
    const found = older ? rows[here + 1] : here > 0 ? rows[here - 1] : here < 0 ? rows.at(-1) : undefined;
    if (found) return found.id;
  }
  return undefined;
}

