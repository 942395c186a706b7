import { beforeEach, describe, expect, it, vi } from "vitest";

class Source extends EventTarget {
  static readonly CLOSED = 2;
  static made: Source[] = [];
  readyState = 1;
  constructor(readonly address: string) {
    super();
    Source.made.push(this);
  }
  close(): void {
    this.readyState = 2;
  }
  tell(name: string, data: unknown = {}): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }
}

describe("the live line", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("location", { href: "http://127.0.0.1/" });
    vi.stubGlobal("document", { hidden: false, addEventListener: () => {} });
    vi.stubGlobal("EventSource", Source);
  });
  it("is opened anew after an answer that is none, and counts what it missed", async () => {
    const { listen } = await import("../src/live");
    const { line, missed } = await import("../src/state");
    listen();
    const first = Source.made[0]!;
    first.tell("status", { missed: 3 });
    first.tell("error");
    expect([line.value, vi.getTimerCount()]).toEqual(["lost", 0]);
    first.readyState = Source.CLOSED;
    first.tell("error");
    vi.runAllTimers();
    expect(Source.made.length).toBe(2);
    Source.made[1]!.tell("status", { missed: 1 });
    expect([line.value, missed.value]).toEqual(["live", 4]);
  });
});
