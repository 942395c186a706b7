import type { SensorRow } from "../answers";
import { count, words } from "../format";
import { useCell, view } from "../state";
import { onPage } from "../view";
import { Link } from "./basic";

/** What makes all counts on the page too low or verdicts weaker: said before them. */
export function Losses(props: { losses: Record<string, number>; overflow: number; sensors: SensorRow[] }) {
  const current = useCell(view);
  const lost = Object.entries(props.losses).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
  const missing = props.sensors.reduce((sum, row) => sum + row.missing, 0);
  const faults = props.sensors.flatMap((row) => row.status.tap.faults.map((fault) => `${row.sensor}: ${fault.text}`));
  if (lost.length === 0 && missing === 0 && props.overflow === 0 && faults.length === 0) return null;
  return (
    <aside class="banner" aria-label="Losses">
      <b>Not all was seen.</b>
      <ul>
        {lost.length > 0 && <li>Lost in this time: {lost.map(([name, value]) => `${words(name)} ${count(value)}`).join(", ")}.</li>}
        {props.overflow > 0 && <li>{count(props.overflow)} resets are counted in wider rows, because there were too many servers and ports to count each apart.</li>}
        {missing > 0 && <li>{count(missing)} records of sensors never came here.</li>}
        {faults.map((text) => <li key={text}>{text}</li>)}
      </ul>
      <Link to={onPage(current, "sensors")}>sensors</Link>
    </aside>
  );
}
