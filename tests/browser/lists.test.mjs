// SPDX-License-Identifier: MIT
// The lists of the timeline page: functions, the stalls by function and cause, and threads.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { make, open, quit } from "./harness.mjs";
import {
	figures,
	inked,
	longRecording,
	nonZero,
	on,
	rowsOf,
	selectionOf,
	stallsOf,
	threadsOf,
	windowOf,
} from "./timeline.mjs";

after(quit);

const FOUND = "#f2c230"; /* --found of a light theme */
const stallRows = (page) =>
	page.$$eval("#stalls [data-stall]", (rows) => rows.map(({ dataset }) => dataset.stall));

describe("functions", () => {
	on("blame", "come first, with the report's figures", async (page, json) => {
		assert.ok(await page.locator("#functions").isVisible());
		assert.ok(await page.locator("#stalls").isHidden());
		assert.deepEqual(
			await page.$$eval("#functions tbody tr", (rows) =>
				rows.map((row) => [
					row.querySelector(".frame-name").textContent,
					row.cells[2].textContent.replace("·", "0"),
					...[3, 4].map((cell) =>
						Number(row.cells[cell].querySelector("[data-ns]")?.dataset.ns ?? 0),
					),
				]),
			),
			json.blame.map(({ handler, stalls, stall_ns, worst_ns }) => [
				handler.function,
				String(stalls),
				stall_ns,
				worst_ns,
			]),
		);
		const [bar] = await page.$$eval("#functions tbody tr:first-child .state-bar", (found) =>
			found.map((one) =>
				Object.fromEntries(
					[...one.children].map(({ dataset }) => [dataset.state, Number(dataset.ns)]),
				),
			),
		);

		for (const [state, ns] of Object.entries(json.blame[0].loop_states))
			assert.equal(bar[state] ?? 0, ns);
	});

	on("blame", "a click keeps its stalls alone and lights its boxes", async (page, json) => {
		const { y, height } = (await rowsOf(page)).find(({ kind }) => kind === "flame"),
			lit = () => inked(page, "picture", { colour: FOUND, y, height });

		assert.equal(await lit(), 0);
		await page.locator("#functions button", { hasText: "async_sleep_blocking" }).click();
		assert.equal(await selectionOf(page), "function.0");
		assert.match(await page.locator("#tab-stalls").innerText(), /1 of 3/);
		assert.deepEqual(await stallRows(page), ["1"]);
		await page.waitForTimeout(100);
		assert.ok((await lit()) > 0.05);
		assert.deepEqual(await figures(page, "stall"), [json.blame[0].stall_ns]);
		await page.keyboard.press("Escape");
		assert.equal((await stallRows(page)).length, 3);
		await page.waitForTimeout(100);
		assert.equal(await lit(), 0);
	});

	on("no_loop", "without a loop there are no stalls to show", async (page, json) => {
		assert.equal(stallsOf(json).length, 0);
		assert.match(await page.locator("#tab-stalls").innerText(), /\(0\)/);
	});
});

describe("stalls", () => {
	on("blame", "are grouped, and filtered by cause and function", async (page) => {
		await page.locator("#tab-stalls").click();
		assert.deepEqual(
			await page.$$eval("#stalls .group code", (found) =>
				found.map(({ textContent }) => textContent),
			),
			["async_sleep_blocking", "tock", "sync_cpu"],
		);
		await page.locator("#stalls .group button").first().click();
		assert.deepEqual(await stallRows(page), ["2", "0"], "a closed group");
		await page.keyboard.press("n");
		assert.equal(await selectionOf(page), "stall.1", "it is the first all the same");
		assert.deepEqual(await stallRows(page), ["1", "2", "0"], "and shown again");
		await page.locator("[data-filter=cause]").selectOption("gil_wait");
		assert.deepEqual(await stallRows(page), ["0"]);
		await page.locator("[data-filter=cause]").selectOption("");
		await page.locator("[data-filter=function]").selectOption("2");
		assert.deepEqual(await stallRows(page), ["2"]);
		assert.match(await page.locator("#tab-stalls").innerText(), /1 of 3/);
	});

	on("blame", "a chosen one is a third of the window", async (page, json) => {
		const [, { start_ns, end_ns }] = stallsOf(json);

		await page.locator("#tab-stalls").click();
		await page.locator('[data-stall="1"] button').click();
		const { from, until } = await windowOf(page);

		assert.ok(Math.abs((until - from) / (end_ns - start_ns) - 3) < 0.05);
	});

	on("blame", "the lanes of who held the GIL stand under the loop's", async (page) => {
		const threads = async () =>
			(await rowsOf(page))
				.filter(({ kind }) => kind === "states" || kind === "busy")
				.sort((a, b) => a.y - b.y)
				.map(({ kind, owner }) => `${kind} ${owner}`);

		assert.deepEqual(await threads(), ["states 0", "busy 0", "states 1"]);
		await page.locator("#tab-stalls").click();
		await page.locator('[data-stall="0"] button').click();
		assert.deepEqual(await threads(), ["states 0", "states 1", "busy 0"]);
		await page.locator('[data-stall="1"] button').click();
		assert.deepEqual(await threads(), ["states 0", "busy 0", "states 1"]);
	});
});

describe("a narrow screen", () => {
	on(
		"blame",
		"has verdict, lists and picture below each other, and nothing beyond its edge",
		async (page) => {
			const top = async (id) => (await page.locator(id).boundingBox()).y;

			assert.equal(
				await page.evaluate(() => document.documentElement.scrollWidth),
				await page.evaluate(() => innerWidth),
			);
			const tops = [];

			for (const id of ["#verdict", "#functions", "#details", "#overview", "#lanes"])
				tops.push(await top(id));
			assert.deepEqual(
				tops,
				[...tops].sort((a, b) => a - b),
			);
			await page.locator("#tab-stalls").click();
			await page.locator('[data-stall="0"] button').click();
			assert.equal(await selectionOf(page), "stall.0");
			assert.equal(
				await page.evaluate(() => document.documentElement.scrollWidth),
				await page.evaluate(() => innerWidth),
			);
		},
		{ viewport: { width: 390, height: 844 } },
	);
});

const HELD = ["python", "held_blocked", "held_runnable"];
const threadRows = (page) =>
	page.$$eval("#threads [data-thread]", (rows) =>
		rows.map((row) => ({
			thread: Number(row.dataset.thread),
			words: row.cells[0].textContent,
			states: Object.fromEntries(
				[...row.querySelectorAll(".state-bar span")].map(({ dataset }) => [
					dataset.state,
					Number(dataset.ns),
				]),
			),
			...Object.fromEntries(
				["held", "waited", "total"].map((figure) => [
					figure,
					Number(row.querySelector(`[data-figure=${figure}]`)?.dataset.ns ?? 0),
				]),
			),
		})),
	);
const sum = (states, names) => names.reduce((all, name) => all + states[name], 0);

describe("threads", () => {
	for (const name of ["blame", "many_threads", "two_processes", "held_blocked"])
		on(name, "have the report's figures", async (page, json) => {
			const threads = threadsOf(json);

			await page.locator("#tab-threads").click();
			const rows = await threadRows(page);

			assert.equal(rows.length, threads.length);
			for (const { thread, words, states, held, waited, total } of rows) {
				const wanted = threads[thread];

				assert.deepEqual(states, nonZero(wanted.states));
				assert.equal(held, sum(wanted.states, HELD));
				assert.equal(waited, wanted.states.gil_wait);
				assert.equal(total, sum(wanted.states, Object.keys(wanted.states)));
				assert.ok(words.includes(String(wanted.tid)));
				assert.equal(words.includes("loop"), wanted.loop);
				assert.equal(words.includes("gone"), wanted.gone);
			}
		});

	on("many_threads", "are sorted by the heads, and a click goes to the lane", async (page) => {
		await page.locator("#tab-threads").click();
		for (const order of ["held", "waited", "total"]) {
			await page.locator(`#threads [data-order=${order}]`).click();
			const shown = (await threadRows(page)).map((row) => row[order]);

			assert.deepEqual(
				shown,
				[...shown].sort((a, b) => b - a),
			);
		}
		await page.locator("#threads [data-order=lanes]").click();
		const last = (await threadRows(page)).at(-1).thread;

		await page.locator(`#threads [data-thread="${last}"] button`).click();
		assert.equal(await selectionOf(page), `thread.${last}`);
		assert.equal(
			await page.locator("#threads .chosen").getAttribute("data-thread"),
			String(last),
		);
		const { y } = (await rowsOf(page)).find(
				({ kind, owner }) => kind === "states" && owner === last,
			),
			seen = await page
				.locator("#lanes")
				.evaluate((lanes) => [lanes.scrollTop, lanes.scrollTop + lanes.clientHeight]);

		assert.ok(y >= seen[0] && y < seen[1], "its lane is in sight");
	});
});

describe("filters of the stalls", () => {
	on("two_processes", "by loop", async (page, json) => {
		await page.locator("#tab-stalls").click();
		for (const [loop, { states }] of stallsOf(json).entries()) {
			await page.locator("[data-filter=loop]").selectOption(String(loop));
			assert.deepEqual(await stallRows(page), [String(loop)], Object.keys(states)[0]);
			assert.match(await page.locator("#tab-stalls").innerText(), /1 of 2/);
		}
		await page.locator("[data-filter=loop]").selectOption("");
		assert.equal((await stallRows(page)).length, 2);
	});

	on("blame", "by what is visible, which the list does not change", async (page) => {
		await page.locator("#tab-stalls").click();
		assert.equal(await page.locator("[data-filter=loop]").count(), 0, "there is one loop");
		await page.evaluate(() => (location.hash = "#t=60000000-100000000"));
		await page.waitForFunction(() => window.gilscope.window.from === 60000000);
		assert.equal((await stallRows(page)).length, 3);
		await page.locator("[data-filter=range]").selectOption("visible");
		assert.deepEqual((await stallRows(page)).sort(), ["0", "1"]);
		const before = await windowOf(page);

		for (const stall of [0, 1]) {
			await page.locator(`[data-stall="${stall}"] button`).click();
			assert.equal(await selectionOf(page), `stall.${stall}`);
			assert.deepEqual(await windowOf(page), before);
		}
		await page.keyboard.press("f");
		await page.waitForFunction(() => document.querySelectorAll("[data-stall]").length === 3);
		await page.evaluate(() => (location.hash = "#t=240020000-250000000"));
		await page.waitForFunction(() => !document.querySelector("[data-stall]"));
		assert.match(await page.locator("#stalls").innerText(), /No stall/);
		assert.match(await page.locator("#tab-stalls").innerText(), /0 of 3/);
	});

	on("blame", "by cause and what is visible at once", async (page) => {
		await page.locator("#tab-stalls").click();
		await page.locator("[data-filter=cause]").selectOption("blocked");
		await page.locator("[data-filter=range]").selectOption("visible");
		assert.deepEqual(await stallRows(page), ["1"]);
	});
});

for (const viewport of [
	{ width: 1280, height: 800 },
	{ width: 390, height: 844 },
])
	test(`a long list grows as it is scrolled, ${viewport.width} pixels`, async () => {
		const { page, close } = await open(make("timeline", longRecording()), { viewport });

		await page.waitForFunction(() => window.gilscope?.ready);
		await page.locator("#tab-stalls").click();
		const first = (await stallRows(page)).length;

		assert.ok(first > 0 && first < 1000);
		await page
			.locator("#stalls [data-stall]")
			.nth(first - 1)
			.scrollIntoViewIfNeeded();
		await page.waitForFunction(
			(before) => document.querySelectorAll("#stalls [data-stall]").length > before,
			first,
		);
		await close();
	});
