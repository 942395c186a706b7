import { useAnswer } from "../api";
import type { IdleHistogram } from "../answers";
import { Cut, Panel, Stale, Waiting } from "../parts/basic";
import { SpreadChart } from "../parts/spread";
import { Timers } from "../parts/timers";
import { useCell, view } from "../state";
import { question } from "../view";

export function IdlePage() {
  const current = useCell(view);
  const answer = useAnswer<IdleHistogram>("idle", question(current, { onlyHarmful: true }));
  const data = answer.data;
  return (
    <>
      <h1>Idle timers</h1>
      <p class="lead">How long connections were silent before they were reset. A peak at a round number is a timer that ran out: raise it, or send keepalives or close idle connections before it does.</p>
      <Stale answer={answer} />
      <Cut is={data?.is_cut ?? false} />
      {!data ? <Waiting answer={answer} /> : <>
        <Panel title="Silence before the reset"><SpreadChart spread={data.spread} timers={data.timers} label="Silence before the reset" unit="s" height={280} /></Panel>
        <Panel title="Silences that fit a well-known timer"><Timers timers={data.timers} all={data.spread.count} /></Panel>
      </>}
    </>
  );
}
