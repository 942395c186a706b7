// The page in a real browser against a real store: what it says is what the API says, in light and dark, wide
// and narrow, by keys alone; nothing from elsewhere, no error, no markup out of data.
//
//   node browser/run.mjs PROGRAM CAPTURE SCREENSHOTS
//
// PROGRAM is `cargo build -p collector --example page`; screenshots are for people to look at.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [program, capture, shots] = process.argv.slice(2);
if (!program || !capture || !shots) throw new Error("usage: run.mjs PROGRAM CAPTURE SCREENSHOTS");
const SERVERS = 100_000;
const folder = mkdtempSync(join(tmpdir(), "rstscope-page-"));
mkdirSync(shots, { recursive: true });

/** Serves a store until `stop`; `tell` makes one reset more come. */
async function serve(name, ...more) {
  const child = spawn(program, [join(folder, name), ...more], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = new Promise((_, reject) => child.once("exit", (code) => reject(new Error(`${program} ended with ${code}`))));
  gone.catch(() => {});
  const lines = createInterface({ input: child.stdout });
  const address = await Promise.race([new Promise((resolve) => lines.once("line", resolve)), gone]);
  return {
    base: address.replace(/\/$/, ""),
    tell: () => child.stdin.write("\n"),
    stop: () => new Promise((resolve) => { child.once("exit", resolve); child.stdin.end(); }),
  };
}

const problems = [];
const number = (text) => Number(text.replace(/[\s\u202f]/g, ""));

async function newPage(context, base) {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("blob:")) problems.push(`request to elsewhere: ${request.url()}`); });
  return page;
}

const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

const VIEWS = [
  ["overview", "/"], ["servers", "/servers"], ["events", "/events?benign=1"], ["idle", "/idle"], ["bursts", "/bursts"],
  ["devices", "/devices"], ["disagreements", "/disagreements"], ["logs", "/logs"], ["sensors", "/sensors"],
];

async function lookAtAll(browser, site) {
  const list = await (await fetch(`${site.base}/api/v1/history?limit=1000`)).json();
  assert.ok(list.rows.length >= 10, `the capture has ten resets, the store ${list.rows.length}`);
  const forged = list.rows.find((row) => row.origin.startsWith("middlebox") && row.has_evidence) ?? list.rows[0];
  const logged = list.rows.find((row) => row.agreement) ?? list.rows[0];
  const server = forged.server.ip.includes(":") ? `[${forged.server.ip}]:${forged.server.port}` : `${forged.server.ip}:${forged.server.port}`;
  const views = [...VIEWS, ["flow", `/events/${forged.id}`], ["flow-logged", `/events/${logged.id}`], ["server", `/servers/${encodeURIComponent(server)}`]];
  for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 400], ["dark", 400]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, timezoneId: "Europe/Berlin" });
    const page = await newPage(context, site.base);
    for (const [name, path] of views) {
      await page.goto(site.base + path);
      await page.waitForSelector("main h1");
      await page.waitForFunction(() => !document.body.innerText.includes("Asking the collector"));
      assert.equal(await page.locator(".failure").count(), 0, `${name}: ${await page.locator("main").innerText()}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px wider than a window of ${width}`);
      const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select")].filter((node) => !(node.textContent?.trim() || node.getAttribute("aria-label") || node.labels?.length || node.querySelector("img[alt]"))).map((node) => node.outerHTML));
      assert.deepEqual(unnamed, [], `${name}: controls without a name`);
      await shot(page, `${name}-${scheme}-${width}`);
    }
    await context.close();
  }
  return { forged, logged, server };
}

async function numbersAreThoseOfTheApi(page, site) {
  await page.goto(`${site.base}/?last=1h`);
  const overview = await (await fetch(`${site.base}/api/v1/overview?last=1h`)).json();
  const harmful = overview.resets.aborted + overview.resets.refused;
  await page.waitForSelector(".headline .figure");
  assert.equal(number(await page.locator(".headline .figure").innerText()), harmful);
  assert.ok(harmful > 0);
  for (const impact of ["aborted", "refused", "unknown", "benign"]) {
    const shown = await page.locator(`.headline dl div:has(.mark.${impact}) dd a`).innerText();
    assert.equal(number(shown), overview.resets[impact], impact);
  }
  const title = await page.locator(".headline .big b").getAttribute("title");
  assert.equal(number(title), overview.connections.opened + overview.connections.midstream, "the denominator");
  const causes = await page.locator("section[aria-label='Why'] tbody tr").count();
  assert.equal(causes, Math.min(8, overview.by_cause.filter((row) => row.aborted + row.refused + row.unknown > 0).length));
  const inTable = await page.evaluate(() => [...document.querySelectorAll(".timeline .numbers tbody tr")].map((row) => row.children[1].textContent));
  assert.equal(inTable.map(number).reduce((a, b) => a + b, 0), harmful, "the timeline holds them all");
}

async function aFlowIsExplained(page, site, { forged, logged }) {
  const flow = await (await fetch(`${site.base}/api/v1/history/${forged.id}`)).json();
  await page.goto(`${site.base}/events/${forged.id}`);
  await page.waitForSelector(".verdict h1");
  assert.equal(await page.locator(".verdict h1").innerText(), flow.explanation.headline);
  assert.equal(await page.locator(".weights li").count(), flow.explanation.reasons.length);
  assert.equal(await page.locator(".todo li").count(), flow.explanation.steps.length);
  if (flow.ladder.length > 0) {
    assert.equal(await page.locator(".ladder .arrow").count(), flow.ladder.length);
    assert.equal(await page.locator(".ladder .arrow.judged").count(), 1);
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download pcapng" }).click();
    assert.match((await waiting).suggestedFilename(), /^rstscope-[0-9a-f]{16}\.pcapng$/);
  }
  await page.goto(`${site.base}/events/${logged.id}`);
  await page.waitForSelector(".logs pre");
  assert.ok((await page.locator(".logs pre").innerText()).includes("<script>alert(1)</script>"), "markup is shown as it is");
  assert.equal(await page.locator("main script, main img").count(), 0, "and is no markup");
}

async function theAddressHoldsTheView(page, site) {
  await page.goto(`${site.base}/events?benign=1`);
  await page.waitForSelector("tbody tr[data-row] a");
  const all = await page.locator("tbody tr[data-row]").count();
  await page.locator("td.col-cause a").first().click();
  await page.waitForURL(/only=cause/);
  await page.waitForSelector("tbody tr[data-row] a");
  const some = await page.locator("tbody tr[data-row]").count();
  assert.ok(some > 0 && some < all, `${some} of ${all}`);
  const copy = await newPage(page.context(), site.base);
  await copy.goto(page.url());
  await copy.waitForSelector("tbody tr[data-row] a");
  assert.equal(await copy.locator("tbody tr[data-row]").count(), some, "a pasted link shows the same");
  await copy.close();
  await page.goBack();
  await page.waitForFunction((count) => document.querySelectorAll("tbody tr[data-row]").length === count, all);
  await page.fill("#filter", "10.0.0.0/8");
  await page.press("#filter", "Enter");
  await page.waitForURL(/only=server/);
  await page.fill("#filter", "nonsense");
  await page.press("#filter", "Enter");
  await page.waitForSelector("#filter-problem");
  await page.goto(`${site.base}/events?only=impact%3Dlost`);
  await page.waitForSelector(".failure");
  assert.ok((await page.locator(".failure").first().innerText()).includes("aborted, refused"), "the API says what there is");
  problems.splice(0, problems.length, ...problems.filter((text) => !text.includes("400")));
}

async function keysAreEnough(page, site) {
  await page.goto(`${site.base}/events?benign=1`);
  await page.waitForSelector("tbody tr[data-row] a");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "filter");
  await page.keyboard.press("Escape");
  const row = () => page.evaluate(() => document.activeElement?.closest("tr")?.dataset.row);
  await page.keyboard.press("j");
  assert.equal(await row(), "0");
  await page.keyboard.press("j");
  assert.equal(await row(), "1");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".verdict h1");
  const first = page.url();
  await page.keyboard.press("j");
  await page.waitForFunction((url) => location.href !== url, first);
  await page.waitForSelector(".verdict h1");
  await page.keyboard.press("k");
  await page.waitForFunction((url) => location.href === url, first);
  await page.keyboard.press("u");
  await page.keyboard.press("t");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await page.keyboard.press("t");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.keyboard.press("t");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.waitForURL(/\/servers/);
}

async function whatComesIsShown(page, site) {
  await page.goto(`${site.base}/`);
  await page.waitForSelector(".live.live");
  // What is told before the line stands is not for this listener.
  for (let told = 0; told < 12 && (await page.locator(".fresh li").count()) === 0; told += 1) {
    site.tell();
    await page.waitForSelector(".fresh li", { timeout: 2500 }).catch(() => {});
  }
  assert.ok((await page.locator(".fresh li").count()) > 0, "a reset came and is shown");
  await page.keyboard.press("l");
  await page.waitForSelector(".live.paused");
}

/** Twenty thousand events take too long here: the answers are real, only what they say of themselves is not. */
async function whatIsCutSaysSo(page, site, { server }) {
  const asked = /\/api\/v1\/(idle|bursts|devices|disagreements|servers\/[^?]+)(\?|$)/;
  await page.route(asked, async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    if (answer.idle) answer.idle.is_cut = true;
    else answer.is_cut = true;
    await route.fulfill({ response, json: answer });
  });
  for (const path of ["/idle", "/bursts", "/devices", "/disagreements", `/servers/${encodeURIComponent(server)}`]) {
    await page.goto(site.base + path);
    await page.getByText(/newest 20,000 events only.*choose a shorter time/).waitFor();
  }
  await page.unroute(asked);
  await page.goto(`${site.base}/bursts`);
  await page.waitForFunction(() => !document.body.innerText.includes("Asking the collector"));
  assert.equal(await page.getByText("newest 20,000 events").count(), 0, "whole answers do not say so");
}

async function manyServersAreNoBurden(browser) {
  const site = await serve("many", "--servers", String(SERVERS));
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await newPage(context, site.base);
  await page.goto(`${site.base}/servers`);
  await page.waitForSelector("tbody tr[data-row='0'] a");
  assert.equal(number((await page.locator(".long .foot").innerText()).replace(/ servers$/, "")), SERVERS);
  for (const part of [0.5, 1, 0]) {
    await page.evaluate((to) => { const box = document.querySelector(".long"); box.scrollTop = to * (box.scrollHeight - box.clientHeight); }, part);
    await page.waitForFunction(() => { const rows = [...document.querySelectorAll(".long tr[data-row]")]; return rows.length > 5 && rows.every((row) => row.querySelector("a")); });
    const rows = await page.locator(".long tr[data-row]").count();
    assert.ok(rows < 120, `${rows} rows in the document`);
    if (part === 1) assert.ok(await page.locator(`tr[data-row='${SERVERS - 1}']`).count(), "the last row is there");
  }
  await page.getByRole("button", { name: /^Share/ }).click();
  await page.waitForURL(/sort=-share/);
  await page.fill("input[type=search]", "10.1.134.");
  await page.waitForURL(/search=/);
  await page.waitForFunction(() => /^\d+ servers$/.test(document.querySelector(".long .foot")?.textContent?.replace(/[\s\u202f]+/g, " ").trim() ?? "") && document.querySelectorAll(".long tr[data-row] a").length > 0);
  const found = await (await fetch(`${site.base}/api/v1/servers?search=10.1.134.&limit=1`)).json();
  assert.equal(number((await page.locator(".long .foot").innerText()).replace(/ servers$/, "")), found.total);
  await shot(page, "servers-many");
  await page.goto(`${site.base}/`);
  await page.waitForSelector(".headline .figure");
  assert.equal(await page.locator(".banner").count(), 1, "losses are said");
  await shot(page, "overview-many");
  await context.close();
  await site.stop();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const site = await serve("few", capture);
  const found = await lookAtAll(browser, site);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Europe/Berlin" });
  const page = await newPage(context, site.base);
  await numbersAreThoseOfTheApi(page, site);
  await aFlowIsExplained(page, site, found);
  await theAddressHoldsTheView(page, site);
  await keysAreEnough(page, site);
  await whatIsCutSaysSo(page, site, found);
  await whatComesIsShown(page, site);
  await context.close();
  await site.stop();
  await manyServersAreNoBurden(browser);
  assert.deepEqual(problems, []);
  console.log(`page: all of it holds; screenshots are in ${shots}`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
