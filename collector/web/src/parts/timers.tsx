import type { IdleTimer } from "../answers";
import { count, share, span } from "../format";

/** Silences that fit a well-known timer, and whose default it is: a peak there is a lead. */
export function Timers(props: { timers: IdleTimer[]; all: number }) {
  const shown = props.timers.filter((timer) => timer.count > 0);
  if (shown.length === 0) return <p class="faint">No silence fits a well-known timer.</p>;
  const most = Math.max(...shown.map((timer) => timer.count));
  return (
    <table class="bars timers" aria-label="Well-known timers">
      <thead><tr><th scope="col">timer</th><th scope="col" class="right">resets</th><th scope="col" class="right">share</th><th scope="col">whose default</th></tr></thead>
      <tbody>
        {shown.map((timer) => (
          <tr key={timer.seconds} class={timer.count === most ? "peak" : ""}>
            <th scope="row" class="number">{timer.seconds < 120 ? `${timer.seconds} s` : `${count(timer.seconds)} s (${span(timer.seconds)})`}</th>
            <td class="number right">{count(timer.count)}</td>
            <td class="number right">{share(timer.count, props.all)}</td>
            <td>{timer.products}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
