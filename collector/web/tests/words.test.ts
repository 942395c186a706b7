import { beforeAll, describe, expect, it, vi } from "vitest";

describe("half a filter", () => {
  let meant: (text: string) => string;
  beforeAll(async () => {
    vi.stubGlobal("location", { href: "http://127.0.0.1/" });
    ({ meant } = await import("../src/words"));
  });
  it("is a server where it is an address, and a port where it is one", () => {
    expect([":443", "10.0.0.5", "10.0.0.0/8", "10.0.0.5:443", "2001:db8::1", "[2001:db8::1]:443", "cause=port_closed", "nonsense"].map((text) => meant(text))).toEqual([
      "port=443", "server=10.0.0.5", "server=10.0.0.0/8", "server=10.0.0.5:443", "server=2001:db8::1", "server=[2001:db8::1]:443", "cause=port_closed", "nonsense",
    ]);
  });
});
