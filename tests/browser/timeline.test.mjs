// SPDX-License-Identifier: MIT
// The figures of the timeline page, in a real browser: those of `report --json`, to the nanosecond.
import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { gilscope, quit, report, script } from "./harness.mjs";
import {
	STATES,
	figures,
	labelOf,
	nonZero,
	on,
	rowsOf,
	selectionOf,
	stallsOf,
	threadsOf,
	windowOf,
} from "./timeline.mjs";

after(quit);

const SCRIPTS = [
	"blame",
	"blocked",
	"contradiction",
	"cut_off",
	"gil_off",
	"gil_wait",
	"held_blocked",
	"held_runnable",
	"hostile_names",
	"hostile_stacks",
	"lost",
	"lost_in_stall",
	"many_threads",
	"migrate",
	"native",
	"nested_epoll",
	"no_loop",
	"ongoing",
	"pool_over_time",
	"pools",
	"python",
	"quiet",
	"runnable",
	"two_processes",
	"untold",
];

describe("every golden script", () => {
	for (const name of SCRIPTS)
		on(
			name,
			"opens without a complaint, and its sums are the report's, also in halves",
			async (page, json) => {
				const { end } = await windowOf(page),
					middle = Math.floor(end * 0.37);
				const sums = (from, until) =>
					page.evaluate(
						([count, a, b]) =>
							Array.from({ length: count }, (_, thread) =>
								window.gilscope.sums(thread, a, b),
							),
						[threadsOf(json).length, from, until],
					);
				const whole = await sums(0, end),
					first = await sums(0, middle),
					second = await sums(middle, end);

				assert.equal(end, json.window.end_ns - json.window.start_ns);
				assert.deepEqual(
					whole,
					threadsOf(json).map((thread) => thread.states),
				);
				assert.deepEqual(
					whole,
					first.map((states, thread) =>
						Object.fromEntries(
							STATES.map((state) => [state, states[state] + second[thread][state]]),
						),
					),
				);
				for (const [number, gil] of json.processes
					.flatMap((process) => process.gils)
					.entries()) {
					const holders = await page.evaluate(
						([at, until]) => window.gilscope.holders(at, 0, until),
						[number, end],
					);

					assert.equal(
						holders.reduce((sum, [, ns]) => sum + ns, 0),
						gil.held_ns,
					);
				}
				assert.equal(await page.locator("[data-stall]").count(), stallsOf(json).length);
				assert.ok(await page.locator("#progress").isHidden());
			},
		);
});

describe("the verdict", () => {
	on("two_processes", "each loop has a paragraph of its own", async (page, json) => {
		const paragraphs = await page.$$eval("#verdict > *", (found) =>
			found
				.filter((each) => getComputedStyle(each).display === "block")
				.map((each) => each.textContent),
		);

		for (const { pid } of json.processes)
			assert.equal(
				paragraphs.filter((text) => text.startsWith(`PID ${pid}: `)).length,
				1,
				String(paragraphs),
			);
		assert.ok(!paragraphs.some((text) => text.includes("\\x")), String(paragraphs));
	});
});

describe("figures", () => {
	on("blame", "the totals of the window are the report's", async (page, json) => {
		const shown = await page.$$eval("#details .totals [data-thread]", (found) =>
			found.map(({ dataset }) => [Number(dataset.thread), dataset.state, Number(dataset.ns)]),
		);
		const wanted = threadsOf(json).flatMap((thread, number) =>
			Object.entries(nonZero(thread.states)).map(([state, ns]) => [number, state, ns]),
		);

		assert.deepEqual(shown.map(String).sort(), wanted.map(String).sort());
		assert.deepEqual(await figures(page, "window"), [
			json.window.end_ns - json.window.start_ns,
		]);
		assert.deepEqual(await figures(page, "held"), [json.processes[0].gils[0].held_ns]);
	});

	for (const name of [
		"blame",
		"gil_wait",
		"blocked",
		"runnable",
		"held_runnable",
		"held_blocked",
		"hostile_names",
		"two_processes",
		"ongoing",
	])
		on(name, "a click on a stall shows all its figures", async (page, json) => {
			const stalls = stallsOf(json),
				origin = json.window.start_ns;

			for (const [number, stall] of stalls.entries()) {
				await page.locator("#tab-stalls").click();
				await page.locator(`[data-stall="${number}"] button`).click();
				assert.equal(await selectionOf(page), `stall.${number}`);
				const sumOf = (states) => Object.values(states).reduce((sum, ns) => sum + ns, 0);

				assert.deepEqual(await figures(page, "length"), [stall.end_ns - stall.start_ns]);
				assert.deepEqual(await figures(page, "start"), [stall.start_ns - origin]);
				for (const state of STATES)
					assert.deepEqual(
						await figures(page, `states.${state}`),
						stall.states[state] ? [stall.states[state]] : [],
						state,
					);
				assert.deepEqual(
					await figures(page, "blocker"),
					stall.blockers.map((blocker) => blocker.ns),
				);
				for (const state of STATES)
					assert.deepEqual(
						await figures(page, `blocker.${state}`),
						stall.blockers.map((blocker) => blocker.states[state]).filter(Boolean),
						state,
					);
				assert.deepEqual(
					await figures(page, "blocker.gc"),
					stall.blockers.map((blocker) => blocker.gc_ns).filter(Boolean),
				);
				assert.deepEqual(
					await figures(page, "syscall"),
					stall.syscalls.map(({ ns }) => ns),
				);
				assert.deepEqual(
					await figures(page, "preempted"),
					stall.preempted_by.map(({ ns }) => ns),
				);
				assert.deepEqual(
					await figures(page, "throttled"),
					[stall.throttled_ns].filter(Boolean),
				);
				assert.deepEqual(await figures(page, "gc"), [stall.gc_ns].filter(Boolean));
				assert.deepEqual(
					await figures(page, "part"),
					stall.parts.length > 1 ? stall.parts.map((part) => sumOf(part.states)) : [],
				);
				assert.deepEqual(
					await figures(page, "part.start"),
					stall.parts.length > 1 ? stall.parts.map((part) => part.start_ns - origin) : [],
				);
				const words = await page.locator("#details").innerText();

				for (const frame of [
					stall.handler,
					...stall.blockers.map((blocker) => blocker.handler),
				].filter(Boolean))
					assert.ok(words.includes(frame.function), frame.function);
				assert.ok(words.includes(await labelOf(page, stall.cause)));
				assert.equal(words.includes("still in progress"), stall.ongoing);
			}
		});

	for (const name of ["blame", "hostile_stacks"])
		on(name, "the flames of the whole window are the report's", async (page) => {
			const { end } = await windowOf(page),
				flames = await page.evaluate((until) => window.gilscope.flames(0, until), end),
				wanted = new Map(),
				shown = new Map();
			const add = (map, key, ns) => map.set(key, (map.get(key) ?? 0) + ns);
			const lines = gilscope(
				"export",
				script(name),
				"--format",
				"speedscope",
				"--state",
				STATES.join(","),
				"--by",
				"waiter",
			);
			const { profiles } = JSON.parse(lines);

			for (const profile of profiles)
				for (const ns of profile.weights) add(wanted, profile.name.match(/^\w+/)[0], ns);
			for (const [, state, frames, ns] of flames) {
				assert.ok(frames.length);
				add(shown, state, ns);
			}
			for (const state of STATES)
				assert.equal(shown.get(state) ?? 0, wanted.get(state) ?? 0, state);
		});

	on(
		"blame",
		"flames by stack and state are those of the folded export, and add up over halves",
		async (page) => {
			const { end } = await windowOf(page),
				wanted = new Map(),
				shown = new Map(),
				halves = new Map();
			const add = (map, key, ns) => map.set(key, (map.get(key) ?? 0) + ns);

			for (const line of gilscope(
				"export",
				script("blame"),
				"--format",
				"folded",
				"--state",
				STATES.join(","),
			)
				.trim()
				.split("\n")) {
				const [, stack, ns] = /^(.*) (\d+)$/.exec(line),
					frames = stack.split(";");

				add(
					wanted,
					[/\((\d+)\)$/.exec(frames[0])[1], ...frames.slice(2)].join(";"),
					Number(ns),
				);
			}
			const json = report(script("blame"));
			const collect = async (map, from, until) => {
				for (const [thread, state, frames, ns] of await page.evaluate(
					([a, b]) => window.gilscope.flames(a, b),
					[from, until],
				))
					add(
						map,
						[
							threadsOf(json)[thread].tid,
							...frames.map(({ name, file, line }) =>
								file ? `${name} (${file}${line ? `:${line}` : ""})` : name,
							),
							state,
						].join(";"),
						ns,
					);
			};

			await collect(shown, 0, end);
			assert.deepEqual(
				Object.fromEntries([...shown].sort()),
				Object.fromEntries([...wanted].sort()),
			);
			await collect(halves, 0, 61234567);
			await collect(halves, 61234567, end);
			assert.deepEqual(
				Object.fromEntries([...halves].sort()),
				Object.fromEntries([...wanted].sort()),
			);
		},
	);
});

const codes = (page, selector) =>
	page.$$eval(`${selector} code.source`, (found) => found.map((one) => one.textContent));

describe("lines of source and decorators, whose text is hostile", () => {
	on("sources", "are with the findings", async (page) => {
		await page.click("#findings summary");
		const [first, second] = await codes(page, "#findings li");

		assert.ok(first.startsWith('@app.get("/orders/{id}"'), first);
		assert.match(first, / · app\.py:42 > time\.sleep\(seconds\) .*<b>slow<\/b>/);
		assert.match(second, /work\.py:7 > total \+= number$/);
		assert.equal(await page.locator("#findings b").count(), 0);
	});

	on("sources", "are with the functions and in the stacks of stalls", async (page, json) => {
		assert.deepEqual(
			await codes(page, "#functions"),
			json.blame.map(({ handler }) => handler.decorator).filter(Boolean),
		);
		const [stall] = stallsOf(json).filter(({ cause }) => cause === "blocked");

		assert.ok(stall.stack.some(({ source }) => source));
		await page.click("#tab-stalls");
		await page.click(`#stalls [data-stall="${stallsOf(json).indexOf(stall)}"]`);
		await page.waitForSelector("#details code.source");
		const shown = await codes(page, "#details");

		for (const { source } of stall.stack)
			assert.ok(!source || shown.includes(source.replaceAll("\x1b", "\\x1b")), source);
		assert.equal(shown[0], stall.handler.decorator);
	});

	on("sources", "are in the tooltip of a box", async (page) => {
		const row = (await rowsOf(page)).find(({ kind }) => kind === "flame"),
			box = await page.locator("#picture").boundingBox();
		const found = new Set();

		for (let x = 0.3; x < 1 && !found.size; x += 0.03)
			for (let y = row.y + 4; y < row.y + row.height && !found.size; y += 8) {
				await page.mouse.move(box.x + box.width * x, box.y + y);
				for (const text of await codes(page, "#tooltip")) found.add(text);
			}
		assert.ok([...found].some((text) => text.startsWith("@app.get(")));
	});
});
