import { useEffect } from "preact/hooks";
import type { EventRow } from "../answers";
import { Empty, Failure, Link } from "../parts/basic";
import { eventColumns } from "../parts/columns";
import { LongTable } from "../parts/table";
import { useRows } from "../rows";
import { listed, useCell, view } from "../state";
import { keyOf, question, withFilter } from "../view";

export function EventsPage() {
  const current = useCell(view);
  const search = question(current, { onlyHarmful: true });
  const isHarmfulOnly = !current.benign && !current.filters.some((filter) => keyOf(filter) === "impact");
  const rows = useRows<EventRow>("history", search);
  const loaded = rows.loaded();
  useEffect(() => {
    listed.rows = loaded;
  });
  return (
    <>
      <h1>Resets</h1>
      {isHarmfulOnly && (
        <p class="lead">
          Harmful ones; apart from them <Link to={withFilter(current, "impact=unknown")}>those that cannot be judged</Link>{" "}
          and <Link to={{ ...withFilter(current, "impact=benign"), benign: true }}>harmless ones</Link>.
        </p>
      )}
      {rows.error && <Failure error={rows.error} />}
      {rows.total === 0 && !rows.error
        ? <Empty>
            {rows.isLoading ? "Asking the collector…" : <>
              No reset is kept for this time and these filters.{" "}
              {!current.benign && <Link to={{ ...current, benign: true }}>Show harmless and unknown ones too</Link>}
              {current.filters.length > 0 && <> or <Link to={{ ...current, filters: [] }}>take the filters away</Link></>}.
            </>}
          </Empty>
        : <LongTable rows={rows} columns={eventColumns()} label="Resets, newest first" what="resets" rowKey={(row) => row.id} />}
    </>
  );
}
