// SPDX-License-Identifier: MIT
// The list of threads of the timeline page, and the stalls filtered by loop and by what is visible.
import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { quit } from "./harness.mjs";
import { nonZero, on, rowsOf, selectionOf, stallsOf, threadsOf, windowOf } from "./timeline.mjs";

after(quit);

const HELD = ["python", "held_blocked", "held_runnable"];
const stallRows = (page) =>
	page.$$eval("#stalls [data-stall]", (rows) => rows.map(({ dataset }) => Number(dataset.stall)));
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
			assert.deepEqual(await stallRows(page), [loop], Object.keys(states)[0]);
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
		assert.deepEqual((await stallRows(page)).sort(), [0, 1]);
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
		assert.deepEqual(await stallRows(page), [1]);
	});
});
