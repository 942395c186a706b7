import { describe, expect, it } from "vitest";
import { address, isOfServers, onPage, parse, question, spanSeconds, withFilter, withoutFilter } from "../src/view";

describe("a view", () => {
  it("comes back from its address as it went", () => {
    for (const text of [
      "/", "/servers", "/servers?last=7d&sort=-share&search=10.0", "/events?only=cause%3Dport_closed&only=server%3D10.0.0.5:443",
      "/events/0123456789abcdef?benign=1", "/servers/%5B2001%3Adb8%3A%3A1%5D%3A443?sensor=tap-7",
      "/idle?from=2026-11-23T08:00:00Z&to=2026-11-23T09:00:00Z",
    ]) {
      const view = parse(text);
      expect(parse(address(view))).toEqual(view);
    }
    expect(parse("/servers/10.0.0.0%2F24").key).toBe("10.0.0.0/24");
    expect(address(parse("/?last=24h"))).toBe("/");
  });

  it("takes nothing from an address that cannot be meant", () => {
    const view = parse("/elsewhere?last=7w&only=<script>&from=yesterday&to=now");
    expect(view).toMatchObject({ page: "overview", time: { last: "24h" }, filters: [] });
    expect(parse("/events/%zz").key).toBe("%zz");
  });

  it("holds one filter a key, and none once it is taken away", () => {
    let view = withFilter(parse("/events"), "cause=port_closed");
    view = withFilter(view, "cause=app_abort");
    view = withFilter(view, "cause!=app_abort");
    expect(view.filters).toEqual(["cause=app_abort", "cause!=app_abort"]);
    expect(withoutFilter(view, "cause=app_abort").filters).toEqual(["cause!=app_abort"]);
    expect(onPage({ ...view, search: "x" }, "servers")).toMatchObject({ search: "", filters: view.filters });
  });

  it("is of some servers if a filter says so", () => {
    expect(["/", "/?only=cause%3Dport_closed", "/?only=port%3D443", "/?only=server!%3D10.0.0.5:443"].map((text) => isOfServers(parse(text)))).toEqual([false, false, true, true]);
  });

  it("asks for harmful resets alone unless others are wanted or spoken of", () => {
    const only = (text: string) => question(parse(text), { onlyHarmful: true }).getAll("only");
    expect(only("/events")).toEqual(["impact=aborted,refused"]);
    expect(only("/events?benign=1")).toEqual([]);
    expect(only("/events?only=impact%3Dbenign")).toEqual(["impact=benign"]);
  });

  it("knows spans", () => {
    expect(spanSeconds("90s")).toBe(90);
    expect(spanSeconds("7d")).toBe(604_800);
    expect(spanSeconds("0h")).toBeUndefined();
    expect(spanSeconds("900d")).toBeUndefined();
  });
});
