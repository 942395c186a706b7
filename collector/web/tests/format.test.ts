import { describe, expect, it } from "vitest";
import { about, ago, bytes, count, dateTime, endpoint, instant, server, share, short, span, sure, tick } from "../src/format";

const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("numbers", () => {
  it("have thin spaces between thousands", () => {
    expect(count(1234567)).toBe("1\u202f234\u202f567");
    expect([0, 999, 1000, -1500].map((value) => plain(count(value)))).toEqual(["0", "999", "1 000", "−1 500"]);
  });
  it("are rounded where they are large, and said in words", () => {
    expect([12, 99_999, 5_200_000, 999_999_999, 3.2e12].map((value) => plain(about(value)))).toEqual(["12", "99 999", "5.2 million", "1 billion", "3.2 trillion"]);
    expect([0, 950, 1500, 2_000_000].map((value) => plain(short(value)))).toEqual(["0", "950", "1.5 k", "2 M"]);
  });
  it("are parts of a whole, never all of it by rounding", () => {
    expect(plain(share(500, 5_200_000))).toBe("0.0096 %");
    expect(plain(share(1, 3))).toBe("33.3 %");
    expect(plain(share(99_999, 100_000))).toBe("> 99.9 %");
    expect(plain(share(5, 5))).toBe("100 %");
    expect(share(1, 0)).toBe("–");
    expect(plain(share(1, 1e9))).toBe("< 0.0001 %");
    expect(plain(sure(0.9996))).toBe("> 99 %");
  });
});

describe("quantities", () => {
  it("bear the unit that fits", () => {
    expect([0, 4.2e-7, 0.00025, 0.0303, 3.14159, 352, 3600, 7322, 200_000].map(span)).toEqual(["0 s", "420 ns", "250 µs", "30.3 ms", "3.14 s", "5 min 52 s", "60 min 0 s", "2 h 2 min", "2 d 8 h"]);
    expect([0, 1023, 1024, 1.5 * 1024 ** 3].map(bytes).map(plain)).toEqual(["0 B", "1 023 B", "1 KiB", "1.5 GiB"]);
  });
});

describe("times", () => {
  it("are of one zone and keep milliseconds", () => {
    const at = "2026-11-23T04:11:32.899357604Z";
    expect(instant(at)).toBe(Date.parse("2026-11-23T04:11:32.899Z"));
    expect(dateTime(at, "utc", true)).toBe("2026-11-23 04:11:32.899");
    expect(dateTime("nonsense", "utc")).toBe("–");
    expect(tick(Date.parse("2026-11-23T00:00:00Z"), 600, "utc")).toBe("11-23");
    expect(tick(Date.parse("2026-11-23T04:10:00Z"), 600, "utc")).toBe("04:10");
    expect(ago("2026-11-23T04:11:32Z", Date.parse("2026-11-23T04:14:32Z"))).toBe("3 min ago");
  });
});

describe("addresses", () => {
  it("are written as the API takes them", () => {
    expect(endpoint({ ip: "2001:db8::1", port: 443 })).toBe("[2001:db8::1]:443");
    expect(server({ ip: "10.0.0.0", prefix: 24 })).toBe("10.0.0.0/24");
    expect(server({ ip: "10.0.0.0", prefix: 24, port: 80 })).toBe("[10.0.0.0/24]:80");
    expect(server({ ip: "10.0.0.5", port: 443 })).toBe("10.0.0.5:443");
  });
});
