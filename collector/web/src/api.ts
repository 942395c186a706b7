// Questions to the API.

import { useEffect, useRef, useState } from "preact/hooks";
import { beat, inFlight, isLocked, useCell } from "./state";

/** Why there is no answer: what the API said, or that it did not speak. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function ask<T>(path: string, search?: URLSearchParams, signal?: AbortSignal): Promise<T> {
  return (await fetched(path, search, signal)).json() as Promise<T>;
}

export async function fetched(path: string, search?: URLSearchParams, signal?: AbortSignal): Promise<Response> {
  const query = search?.toString();
  let response: Response;
  inFlight.count += 1;
  try {
    response = await fetch(`/api/v1/${path}${query ? `?${query}` : ""}`, { signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "The collector does not answer. Is it running, and can this machine reach it?");
  } finally {
    inFlight.count -= 1;
  }
  if (response.status === 401) isLocked.set(true);
  if (!response.ok) throw new Refusal(response.status, await reason(response));
  return response;
}

async function reason(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: unknown };
    if (typeof body.error === "string") return body.error;
  } catch {
    // No JSON: somebody between us and the collector answered.
  }
  return `The answer was ${response.status} ${response.statusText}, without a reason.`;
}

export interface Answer<T> {
  data: T | undefined;
  error: Refusal | undefined;
  isLoading: boolean;
}

/** The answer to a question; asked anew when it changes and at every beat. The last one stays until the next is there. */
export function useAnswer<T>(path: string | null, search?: URLSearchParams, options: { still?: boolean } = {}): Answer<T> {
  const question = path === null ? null : `${path}?${search?.toString() ?? ""}`;
  const [answer, set] = useState<Answer<T> & { question: string | null }>({
    data: undefined, error: undefined, isLoading: true, question: null,
  });
  const beats = useCell(beat);
  const locked = useCell(isLocked);
  const asked = useRef<string | null>(null);
  useEffect(() => {
    if (path === null) return undefined;
    if (options.still && asked.current === question && !locked) return undefined;
    asked.current = question;
    const stop = new AbortController();
    set((last) => ({ ...last, isLoading: true }));
    ask<T>(path, search, stop.signal).then(
      (data) => set({ data, error: undefined, isLoading: false, question }),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        const refusal = error instanceof Refusal ? error : new Refusal(0, String(error));
        // An answer to the same question is worth showing while the next one fails.
        set((last) => ({ data: last.question === question ? last.data : undefined, error: refusal, isLoading: false, question }));
      },
    );
    return () => stop.abort();
  }, [question, beats, locked]);
  const path0 = question?.split("?")[0];
  const isSamePlace = answer.question?.split("?")[0] === path0;
  return { data: isSamePlace ? answer.data : undefined, error: answer.error, isLoading: answer.isLoading };
}

/** Shows the packets' file to the browser's downloads. */
export async function download(path: string, name: string): Promise<void> {
  const blob = await (await fetched(path)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
