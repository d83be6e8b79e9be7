// SPDX-License-Identifier: MIT
// Mouse, wheel and touch in the lanes of the timeline, and the range of time that a drag selects:
// its totals are those of the JSON report of just that range.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { make, open, quit, report, script } from "./harness.mjs";
import {
	figures,
	inked,
	nonZero,
	on,
	selectionOf,
	stallsOf,
	threadsOf,
	timeline,
	windowOf,
} from "./timeline.mjs";

after(quit);

const boxOf = (page, id = "#pictures") => page.locator(id).boundingBox();
const timeAt = (page, x) =>
	page.evaluate((at) => {
		const { from, until, width } = window.gilscope.window;

		return from + (at / width) * (until - from);
	}, x);
const scrolled = (page) => page.locator("#lanes").evaluate((lanes) => lanes.scrollTop);
const spanOf = async (page) => {
	const { from, until } = await windowOf(page);

	return until - from;
};

async function drag(page, [x1, y1], [x2, y2], { button = "left", key } = {}) {
	if (key) await page.keyboard.down(key);
	await page.mouse.move(x1, y1);
	await page.mouse.down({ button });
	await page.mouse.move(x2, y2, { steps: 7 });
	await page.mouse.up({ button });
	if (key) await page.keyboard.up(key);
}

/* What the details show of the threads: {thread: {state: ns}}. */
const shownTotals = (page) =>
	page.$$eval("#details .totals [data-thread]", (found) => {
		const threads = {};

		for (const { dataset } of found)
			(threads[dataset.thread] ??= {})[dataset.state] = Number(dataset.ns);
		return threads;
	});

describe("the wheel", () => {
	on("many_threads", "scrolls the lanes, and zooms with Ctrl", async (page) => {
		const box = await boxOf(page),
			before = await windowOf(page);

		await page.mouse.move(box.x + 300, box.y + 40);
		await page.mouse.wheel(0, 120);
		await page.waitForFunction(() => document.getElementById("lanes").scrollTop > 50);
		assert.deepEqual(await windowOf(page), before);
		const at = await timeAt(page, 300),
			scroll = await scrolled(page);

		await page.keyboard.down("Control");
		for (let i = 0; i < 5; i++) await page.mouse.wheel(0, -120);
		await page.keyboard.up("Control");
		await page.waitForFunction(
			(span) => window.gilscope.window.until - window.gilscope.window.from < span / 3,
			before.until,
		);
		assert.ok(
			Math.abs((await timeAt(page, 300)) - at) < 20,
			"what is under the pointer stays there",
		);
		assert.equal(await scrolled(page), scroll);
	});

	on("blame", "pans sideways, and with Shift", async (page) => {
		const box = await boxOf(page);

		await page.keyboard.press("w");
		await page.keyboard.press("w");
		await page.mouse.move(box.x + 300, box.y + 40);
		const first = await windowOf(page);

		await page.mouse.wheel(100, 10);
		await page.waitForFunction((from) => window.gilscope.window.from > from, first.from);
		const second = await windowOf(page);

		assert.equal(second.until - second.from, first.until - first.from);
		await page.keyboard.down("Shift");
		await page.mouse.wheel(0, -60);
		await page.keyboard.up("Shift");
		await page.waitForFunction((from) => window.gilscope.window.from < from, second.from);
	});
});

describe("a drag", () => {
	for (const [words, where, options] of [
		["with Shift", "#pictures", { key: "Shift" }],
		["with the middle button", "#pictures", { button: "middle" }],
		["on the ruler", "#ruler", {}],
	])
		on("blame", `${words} pans to the pixel, and selects nothing`, async (page) => {
			const box = await boxOf(page, where),
				y = box.y + 12;

			for (let i = 0; i < 3; i++) await page.keyboard.press("w");
			const anchor = await timeAt(page, 300);

			await drag(page, [box.x + 300, y], [box.x + 183, y], options);
			assert.ok(Math.abs((await timeAt(page, 183)) - anchor) < 20);
			assert.equal(await selectionOf(page), null);
		});

	on("blame", "selects a range, which Esc clears", async (page) => {
		const box = await boxOf(page),
			before = await windowOf(page),
			ends = [await timeAt(page, 400), await timeAt(page, 250)].map(Math.round);

		await drag(page, [box.x + 400, box.y + 40], [box.x + 250, box.y + 90]);
		assert.equal(await selectionOf(page), `range.${ends[1]}.${ends[0]}`);
		assert.deepEqual(await windowOf(page), before, "the window stays");
		assert.match(await page.locator("#details h3").innerText(), /The selected range/);
		await page.locator("#ruler-range").waitFor();
		assert.ok(await page.locator("#overview-range").isVisible());
		assert.ok((await inked(page, "over")) > 0.7, "what is outside is dimmed");
		await page.mouse.move(5, 5);
		await page.keyboard.press("Escape");
		assert.equal(await selectionOf(page), null);
		await page.locator("#ruler-range").waitFor({ state: "hidden" });
		await page.waitForTimeout(60);
		assert.equal(await inked(page, "over"), 0);
	});

	on("blame", "beyond the edges ends at them", async (page) => {
		const box = await boxOf(page),
			{ end } = await windowOf(page);

		await drag(page, [box.x + 400, box.y + 40], [box.x - 150, box.y + 40]);
		assert.match(await selectionOf(page), /^range\.0\.\d+$/);
		await drag(page, [box.x + 400, box.y + 40], [box.x + box.width + 90, box.y + 40]);
		assert.match(await selectionOf(page), new RegExp(`^range\\.\\d+\\.${end}$`));
	});
});

describe("touch", () => {
	test("a pinch zooms between the fingers, one finger pans", async () => {
		const { page, close } = await timeline("blame", { hasTouch: true }),
			device = await page.context().newCDPSession(page),
			{ x, y } = await boxOf(page);
		const touch = (type, ...places) =>
			device.send("Input.dispatchTouchEvent", {
				type,
				touchPoints: places.map((at, id) => ({ x: x + at, y: y + 40, id })),
			});
		const before = await spanOf(page),
			middle = await timeAt(page, 400);

		await touch("touchStart", 350);
		await touch("touchStart", 350, 450);
		await touch("touchMove", 320, 480);
		await touch("touchMove", 300, 500);
		await touch("touchEnd");
		assert.ok(Math.abs((await spanOf(page)) - before / 2) < before / 100);
		assert.ok(Math.abs((await timeAt(page, 400)) - middle) < before / 100);
		const anchor = await timeAt(page, 400),
			span = await spanOf(page);

		await touch("touchStart", 400);
		for (const place of [380, 360, 320]) await touch("touchMove", place);
		await touch("touchEnd");
		assert.equal(await spanOf(page), span);
		assert.ok(Math.abs((await timeAt(page, 320)) - anchor) < span / 50);
		assert.equal(await selectionOf(page), null);
		await close();
	});
});

describe("the totals of a range", () => {
	/* where a cut recording knows what every thread did at its begin */
	for (const [name, from, until] of [
		["blame", 60, 120],
		["blame", 20, 45],
		["two_processes", 60, 90],
		["two_processes", 20, 45],
		["held_runnable", 75, 100],
	])
		test(`${name}: those of the JSON report, ${from} to ${until} ms`, async () => {
			const whole = report(script(name)),
				json = report(script(name), "--from", `${from}ms`, "--to", `${until}ms`),
				{ page, close } = await open(make("timeline", script(name)), {
					fragment: `#s=range.${from * 1e6}.${until * 1e6}`,
				});

			await page.waitForFunction(() => window.gilscope?.ready);
			assert.equal(json.window.end_ns - json.window.start_ns, (until - from) * 1e6);
			const wanted = {};

			for (const { tid, states } of threadsOf(json))
				if (Object.keys(nonZero(states)).length)
					wanted[threadsOf(whole).findIndex((thread) => thread.tid === tid)] =
						nonZero(states);
			assert.deepEqual(await shownTotals(page), wanted);
			await close();
		});

	on("blame", "of a stall are the stall's", async (page, json) => {
		await page.locator("#tab-stalls").click();
		for (const [id, stall] of stallsOf(json).entries()) {
			await page.locator(`[data-stall="${id}"] button`).click();
			await page.keyboard.press("m");
			assert.match(await selectionOf(page), /^range\./);
			for (const [state, ns] of Object.entries(nonZero(stall.states)))
				assert.deepEqual(await figures(page, `loop.${state}`), [ns]);
			assert.deepEqual(await figures(page, "stalled"), [stall.end_ns - stall.start_ns]);
		}
	});

	on("blame", "have the stalls' parts inside, and lead to them", async (page, json) => {
		const origin = json.window.start_ns;

		await page.evaluate(() => (location.hash = "#s=range.60000000.100000000"));
		await page.waitForFunction(() => window.gilscope.selection?.startsWith("range"));
		const inside = stallsOf(json)
			.slice(0, 2)
			.map(
				({ start_ns, end_ns }) =>
					Math.min(end_ns - origin, 100e6) - Math.max(start_ns - origin, 60e6),
			);

		assert.deepEqual((await figures(page, "inside")).sort(), inside.sort());
		assert.deepEqual(await figures(page, "stalled"), [inside[0] + inside[1]]);
		await page.locator('#details [data-of="1"]').click();
		assert.equal(await selectionOf(page), "stall.1");
	});

	on("blame", "stay the same when a button zooms into it", async (page) => {
		const box = await boxOf(page);

		await drag(page, [box.x + 200, box.y + 40], [box.x + 600, box.y + 40]);
		const [, from, until] = (await selectionOf(page)).split(".").map(Number),
			totals = await shownTotals(page);

		assert.ok(Object.keys(totals).length);
		await page.locator("[data-role=zoom-range]").click();
		await page.waitForFunction(
			() => document.querySelector("#details").dataset.shows === "totals",
		);
		const shown = await windowOf(page);

		assert.deepEqual([shown.from, shown.until], [from, until]);
		await page.waitForFunction(
			(span) => document.querySelector("[data-figure=window]").dataset.ns === String(span),
			until - from,
		);
		assert.deepEqual(await shownTotals(page), totals);
	});

	on("blame", "are what the flame graph is of", async (page) => {
		const box = await boxOf(page);

		await page.locator("#tab-flame").click();
		await drag(page, [box.x + 200, box.y + 40], [box.x + 600, box.y + 40]);
		const [, from, until] = (await selectionOf(page)).split(".").map(Number);

		assert.ok(await page.locator("#flame").isVisible(), "the tab stays");
		await page.locator("#flame-states").selectOption("all");
		const all = await page.evaluate(
			([a, b]) => window.gilscope.flames(a, b).reduce((sum, [, , , ns]) => sum + ns, 0),
			[from, until],
		);

		await page.waitForFunction(
			(words) => document.querySelector("#flame-graph").textContent.includes(words),
			await page.evaluate((ns) => durationText(ns), all),
		);
	});
});
