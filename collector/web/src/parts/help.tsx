import { useEffect, useRef } from "preact/hooks";
import { KEYS } from "../keys";

export function Help(props: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={props.close} aria-label="Keys and help">
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{text}</dd></div>)}
      </dl>
      <h2>Words</h2>
      <p><b>Aborted</b>: a live connection was cut. <b>Refused</b>: one did not come to be. <b>Benign</b>: nothing was lost; hidden until asked for. <b>Unknown</b>: cannot be told.</p>
      <p><b>Filters</b> are <code>KEY=VALUE[,VALUE]</code> or <code>KEY!=VALUE</code> with impact, origin, cause, stage, effect, role, server, client, port; a plain address or <code>:port</code> means the server. Several must all hold. The address bar carries all of it: paste it into a ticket.</p>
      <form method="dialog"><button type="submit">Close</button></form>
    </dialog>
  );
}
