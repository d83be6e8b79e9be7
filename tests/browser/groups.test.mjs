// SPDX-License-Identifier: MIT
// The lanes of thread pools in a real browser: how many threads are busy, drawn and in figures. And
// those of a service: a group for each process, worst first, folded when it was quiet.
import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { quit } from "./harness.mjs";
import { figures, inked, on, placeOf, rowsOf, selectionOf, windowOf } from "./timeline.mjs";

after(quit);

const poolsOf = (json) => json.processes.flatMap((process) => process.pools ?? []);
const near = (found, wanted) =>
	assert.ok(Math.abs(found - wanted) < 0.01, `${found} is not about ${wanted}`);

/* Points at an instant of a pool's lane: what the tooltip says, line by line. */
async function told(page, pool, time) {
	const { x, y } = await placeOf(page, "busy", pool, time);

	await page.mouse.move(x, y);
	await page.waitForFunction((at) => window.gilscope.hover?.startsWith(`busy.${at}.`), pool);
	return (await page.locator("#tooltip").innerText())
		.split("\n")
		.map((line) => line.replaceAll(/\s/g, " "));
}

describe("a pool over time", () => {
	for (const name of ["pools", "pool_over_time"])
		on(name, "its times are the report's, also in halves", async (page, json) => {
			const { end } = await windowOf(page),
				middle = Math.floor(end * 0.63);
			const busy = (pool, from, until) =>
				page.evaluate((range) => window.gilscope.busy(...range), [pool, from, until]);

			assert.ok(poolsOf(json).length > 2);
			for (const [number, pool] of poolsOf(json).entries()) {
				const whole = await busy(number, 0, end),
					first = await busy(number, 0, middle),
					second = await busy(number, middle, end);

				assert.equal(whole.busy, pool.busy_ns);
				assert.equal(whole.full, pool.full_ns);
				for (const key of ["busy", "full", "unknown"])
					assert.equal(first[key] + second[key], whole[key]);
			}
		});

	for (const colorScheme of ["light", "dark"])
		on(
			"pools",
			`is as high as its threads, and marked while all are busy, ${colorScheme}`,
			async (page, json) => {
				const { end } = await windowOf(page),
					[colour, full] = await page.evaluate(() =>
						["--pool", "--pool-full"].map((name) =>
							getComputedStyle(document.documentElement).getPropertyValue(name),
						),
					);

				for (const [number, pool] of poolsOf(json).entries()) {
					const { y, height } = (await rowsOf(page)).find(
						({ kind, owner }) => kind === "busy" && owner === number,
					);
					const marked = pool.full_ns / end,
						busy = pool.busy_ns / pool.threads / end;

					/* a little is covered by words */
					near(await inked(page, "picture", { colour: full, y, height }), marked * 0.99);
					near(
						await inked(page, "picture", { colour, y, height }),
						(busy - marked) * 0.99,
					);
				}
			},
			{ colorScheme },
		);

	on("pools", "an instant says how many are busy", async (page) => {
		assert.deepEqual((await told(page, 0, 0.3e9)).slice(0, 2), [
			"waitress",
			"0 of 3 threads busy",
		]);
		assert.deepEqual((await told(page, 0, 0.65e9)).slice(1, 4), [
			"2 of 3 threads busy",
			"100 ms 100 000 000 ns",
			"from +0.600 000 000 s",
		]);
		assert.deepEqual((await told(page, 0, 1.2e9)).slice(1, 3), [
			"3 of 3 threads busy",
			"all busy at once",
		]);
	});

	on("pool_over_time", "what is unknown is said, and that it grew later", async (page) => {
		assert.deepEqual((await told(page, 0, 1e9)).slice(1, 3), [
			"2 of 2 threads busy",
			"there were 3 at most",
		]);
		assert.deepEqual((await told(page, 0, 2.4e9)).slice(1, 3), [
			"at least 1 of 3 threads busy",
			"of 2 nothing is known: they may be busy, too",
		]);
	});

	on("pools", "a click shows what it did in the whole recording", async (page, json) => {
		const [waitress] = poolsOf(json),
			{ x, y } = await placeOf(page, "busy", 0, 1.2e9);

		await page.mouse.click(x, y);
		assert.equal(await selectionOf(page), "busy.0.3");
		assert.deepEqual(await figures(page, "length"), [1.2e9]);
		assert.deepEqual(await figures(page, "full"), [waitress.full_ns]);
		assert.deepEqual(await figures(page, "full-worst"), [waitress.full_worst_ns]);
		assert.deepEqual(
			await figures(page, "ran"),
			waitress.functions.map(({ ns }) => ns),
		);
		assert.match(await page.locator("#details").innerText(), /1 began as soon as a thread/);
		await page.waitForFunction(() => location.hash === "#s=busy.0.3");
	});

	on("pools", "stands between the GIL and its threads, and folds", async (page, json) => {
		const kinds = (await rowsOf(page)).map(({ kind }) => kind);

		assert.deepEqual(kinds.slice(0, 6), ["hold", "waiters", "busy", "busy", "busy", "states"]);
		assert.match(
			await page.locator('.lane-label[data-kind="pool"]').first().innerText(),
			/waitress\s+3\sthreads · all busy 32\s%/,
		);
		await page.locator('.lane-label[data-kind="pool"] button').first().click();
		const folded = (await rowsOf(page)).find(({ kind }) => kind === "busy");

		assert.equal(folded.height, 14);
		assert.equal(poolsOf(json)[0].threads, 3);
	});
});

/* ── processes ──────────────────────────────────────────────────────────── */

const heads = (page) =>
	page.$$eval(".lane-process", (labels) =>
		labels
			.filter((label) => !label.hidden)
			.map((label) => ({
				text: label.textContent,
				open: label.querySelector("button").getAttribute("aria-expanded") === "true",
				top: label.getBoundingClientRect().top,
			})),
	);
const pidOf = ({ text }) => Number(/process (\d+)/.exec(text)[1]);
const laneCount = (page) =>
	page.$$eval(".lane-label", (labels) => labels.filter((label) => !label.hidden).length);

on("worker_deaths", "processes are in order, and quiet ones folded", async (page, json) => {
	const shown = (await heads(page)).sort((a, b) => a.top - b.top);

	assert.deepEqual(
		shown.slice(0, 2).map(pidOf),
		json.service.worst_first.slice(0, 2),
		"the worst come first",
	);
	assert.deepEqual(
		shown.map(pidOf).sort(),
		json.processes.map(({ pid }) => pid).sort(),
		"each is there",
	);
	assert.deepEqual(
		shown.map(({ open }) => open),
		shown.map((_, place) => place < 3),
	);
	assert.match(shown[0].text, /worker 1 of uvicorn app:app --workers 7/);
	assert.match(shown[0].text, /1\sstall,\s800\sms$/);
	assert.match(shown[7].text, /no event loop$/);
});

on("worker_deaths", "a process is opened and folded with its button", async (page) => {
	const before = await laneCount(page),
		button = page.locator(".lane-process", { hasText: "process 113" }).locator("button");

	await button.click();
	const opened = await laneCount(page);

	assert.ok(opened > before, `${opened} lanes, ${before} before`);
	assert.equal((await heads(page)).filter(({ open }) => open).length, 4);
	await button.click();
	assert.equal(await laneCount(page), before);
});

on("worker_deaths", "a stall that is chosen opens its process", async (page) => {
	const head = page.locator(".lane-process", { hasText: "process 112" });
	const isOpen = () => head.locator("button").getAttribute("aria-expanded");

	await head.locator("button").click();
	assert.equal(await isOpen(), "false");
	await page.getByRole("tab", { name: /Stalls/ }).click();
	await page.locator('[data-stall="1"] button').click();
	assert.equal(await isOpen(), "true");
});
