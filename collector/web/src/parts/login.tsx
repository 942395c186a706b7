import { useState } from "preact/hooks";
import { beat, isLocked } from "../state";

/** Shows a token to the collector, which answers with a cookie that scripts cannot read. */
export function Login() {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const begin = async (event: Event) => {
    event.preventDefault();
    try {
      const headers = { Authorization: `Bearer ${token.trim()}` };
      const response = await fetch("/api/v1/session", { method: "POST", headers });
      if (!response.ok) {
        const body = (await response.json().catch(() => ({}))) as { error?: string };
        setProblem(body.error ?? `the answer was ${response.status}`);
        return;
      }
      setToken("");
      isLocked.set(false);
      beat.set(beat.value + 1);
    } catch {
      setProblem("The collector does not answer.");
    }
  };
  return (
    <form class="panel login" onSubmit={(event) => void begin(event)}>
      <h1>This collector asks for a token</h1>
      <p class="faint">It is in the file that <code>token_file</code> in section <code>[api]</code> of its configuration names.</p>
      <label>Token <input type="password" autocomplete="current-password" required value={token} onInput={(event) => setToken(event.currentTarget.value)} /></label>
      <button type="submit">Show it</button>
      {problem && <p role="alert" class="failure">{problem}</p>}
    </form>
  );
}
