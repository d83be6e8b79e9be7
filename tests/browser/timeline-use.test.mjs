// SPDX-License-Identifier: MIT
// The timeline page in a real browser: what is drawn, and its use with mouse, keyboard and links.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { quit } from "./harness.mjs";
import {
	figures,
	inked,
	nonZero,
	on,
	placeOf,
	rowsOf,
	selectionOf,
	stallsOf,
	threadsOf,
	timeline,
	windowOf,
} from "./timeline.mjs";

after(quit);

describe("the picture", () => {
	for (const colorScheme of ["light", "dark"])
		on(
			"blame",
			`has the states' colours, ${colorScheme}`,
			async (page, json) => {
				const { y, height } = (await rowsOf(page)).find(
					({ kind, owner }) => kind === "states" && owner === 0,
				);

				assert.ok((await page.evaluate(() => window.gilscope.drawnLanes)) >= 6);
				for (const [state, colour] of [
					["python", "#e69f00"],
					["gil_wait", "#d55e00"],
					["blocked", "#0072b2"],
				]) {
					assert.ok(
						threadsOf(json).some((thread) => thread.loop && thread.states[state] > 1e6),
					);
					assert.ok(
						(await inked(page, "picture", { colour, y, height })) > 0.1,
						`${state} is drawn in its colour`,
					);
				}
				assert.equal(
					await inked(page, "picture", { colour: "#cc79a7" }),
					0,
					"what does not occur is not drawn",
				);
			},
			{ colorScheme },
		);

	on("blame", "a column of many intervals is shared by time", async (page, json) => {
		const loop = threadsOf(json)[0],
			{ end } = await windowOf(page),
			row = (await rowsOf(page)).find(({ kind, owner }) => kind === "states" && owner === 0);
		const python = await inked(page, "picture", {
			colour: "#e69f00",
			y: row.y,
			height: row.height,
		});

		/* the words in the boxes cover some of it */
		assert.ok(
			Math.abs(python - loop.states.python / end) < 0.06,
			`${python} of the row is python, ${loop.states.python / end} of the time`,
		);
	});

	on(
		"gil_wait",
		"from a wait an arrow leads to the holder, and all else is dimmed",
		async (page, json) => {
			const stall = stallsOf(json)[0],
				wait = await placeOf(
					page,
					"states",
					0,
					stall.start_ns - json.window.start_ns + 40e6,
				);
			const over = () => inked(page, "over");

			assert.equal(await over(), 0);
			await page.mouse.move(wait.x, wait.y);
			await page.waitForFunction(() => window.gilscope.hover?.startsWith("state.0."));
			await page.waitForTimeout(60);
			assert.ok((await over()) > 0.5, "the veil");
			assert.match(
				await page.locator("#tooltip").innerText(),
				/waiting for the GIL[\s\S]*held by .*AnyIO worker th/,
			);
			await page.mouse.click(wait.x, wait.y);
			const holders = await figures(page, "holder");

			assert.deepEqual(holders.sort(), stall.blockers.map(({ ns }) => ns).sort());
			await page.mouse.move(5, 5);
			await page.waitForTimeout(60);
			const rows = (await rowsOf(page)).filter(({ kind }) => kind === "states"),
				y = rows[0].y + rows[0].height + 3;
			const below = await inked(page, "over", { y, height: rows[1].y - y - 3 });

			assert.ok(below > 0 && below < 0.2, "the arrow stays, from lane to lane");
			assert.ok((await over()) < 0.1);
		},
	);

	on(
		"blame",
		"a thing under the mouse is shown with exact figures, and a click selects it",
		async (page, json) => {
			const stall = stallsOf(json)[1],
				origin = json.window.start_ns,
				place = await placeOf(
					page,
					"states",
					0,
					(stall.start_ns + stall.end_ns) / 2 - origin,
				);

			await page.mouse.move(place.x, place.y);
			assert.match(
				await page.locator("#tooltip").innerText(),
				/blocking call[\s\S]*clock_nanosleep[\s\S]*79\u202f990\u202f000/,
			);
			await page.mouse.click(place.x, place.y);
			assert.match(await selectionOf(page), /^state\.0\.\d+$/);
			assert.deepEqual(await figures(page, "length"), [79990000]);
			const turn = await placeOf(page, "turns", 0, stall.start_ns - origin + 1e6);

			await page.mouse.click(turn.x, turn.y);
			assert.equal(await selectionOf(page), "stall.1");
			const hold = await placeOf(page, "hold", 0, 40e6);

			await page.mouse.click(hold.x, hold.y);
			assert.match(await selectionOf(page), /^hold\.0\.\d+$/);
			assert.match(
				await page.locator("#details").innerText(),
				/GIL held by .*AnyIO worker thread.*101/,
			);
			const frame = await placeOf(
					page,
					"flame",
					0,
					(stall.start_ns + stall.end_ns) / 2 - origin,
				),
				{ height } = (await rowsOf(page)).find(
					({ kind, owner }) => kind === "flame" && !owner,
				);

			/* below the fold of the frames outside of the handler */
			await page.mouse.click(frame.x, frame.y - height / 2 + 21);
			assert.match(await selectionOf(page), /^frame\.0\.\d+\.\d+$/);
			assert.match(
				await page.locator("#details").innerText(),
				/async_sleep_blocking[\s\S]*\/srv\/shop\/app\.py:42[\s\S]*Task-7/,
			);
		},
	);
});

describe("use", () => {
	on("blame", "keys", async (page) => {
		const whole = await windowOf(page);

		await page.keyboard.press("w");
		const near = await windowOf(page);

		assert.ok(near.until - near.from < (whole.until - whole.from) * 0.75);
		await page.keyboard.press("d");
		const right = await windowOf(page);

		assert.ok(right.from > near.from && right.until - right.from === near.until - near.from);
		await page.keyboard.press("a");
		assert.deepEqual(await windowOf(page), near);
		await page.keyboard.press("s");
		await page.keyboard.press("f");
		assert.deepEqual(await windowOf(page), whole);
		const visited = [];

		for (const key of ["n", "n", "n", "n", "p"]) {
			await page.keyboard.press(key);
			visited.push(await selectionOf(page));
		}
		assert.deepEqual(visited, ["stall.1", "stall.2", "stall.0", "stall.1", "stall.0"]);
		await page.keyboard.press("Escape");
		assert.equal(await selectionOf(page), null);
		await page.keyboard.press("?");
		assert.ok(await page.locator("#help").isVisible());
		await page.keyboard.press("Escape");
		assert.ok(await page.locator("#help").isHidden());
		await page.keyboard.press("/");
		await page.keyboard.type("wasd");
		assert.equal(await page.locator("#search").inputValue(), "wasd");
	});

	on(
		"blame",
		"the list of stalls is reached and used by keyboard, and sorted",
		async (page, json) => {
			const lengths = () =>
				page.$$eval("#stalls .stall-button", (found) =>
					found.map(({ dataset }) => Number(dataset.ns)),
				);
			const stalls = stallsOf(json).map((stall) => stall.end_ns - stall.start_ns);

			await page.locator("#tab-stalls").click();
			assert.deepEqual(
				await lengths(),
				[...stalls].sort((a, b) => b - a),
				"groups that cost most first",
			);
			await page.locator("#stalls [data-order=time]").focus();
			await page.keyboard.press("Enter");
			assert.deepEqual(await lengths(), stalls);
			await page.keyboard.press("Tab");
			await page.keyboard.press("Enter");
			assert.equal(await selectionOf(page), "stall.0");
			await page.locator("#stalls [data-order=cause]").click();
			assert.deepEqual(
				await page.$$eval("#stalls tbody tr", (found) =>
					found.map((row) => row.dataset.stall),
				),
				["2", "0", "1"],
			);
		},
	);

	on("blame", "a drag in the overview chooses a window, whose totals are shown", async (page) => {
		const box = await page.locator("#overview").boundingBox(),
			{ end } = await windowOf(page);

		await page.mouse.move(box.x + box.width * 0.25, box.y + 10);
		await page.mouse.down();
		await page.mouse.move(box.x + box.width * 0.5, box.y + 10, { steps: 4 });
		await page.mouse.up();
		const { from, until } = await windowOf(page);

		assert.ok(
			Math.abs(from - end * 0.25) < end / 500 && Math.abs(until - end * 0.5) < end / 500,
		);
		await page.waitForFunction(
			(span) =>
				document.querySelector("#details [data-figure=window]").dataset.ns === String(span),
			until - from,
		);
		const shown = await page.$$eval("#details .totals [data-thread]", (found) =>
			found.map(({ dataset }) => [dataset.thread, dataset.state, dataset.ns].join()),
		);
		const sums = await page.evaluate(
			([a, b]) => [0, 1].map((thread) => window.gilscope.sums(thread, a, b)),
			[from, until],
		);

		assert.deepEqual(
			shown.sort(),
			sums
				.flatMap((states, thread) =>
					Object.entries(nonZero(states)).map(([state, ns]) =>
						[thread, state, ns].join(),
					),
				)
				.sort(),
		);
	});

	on("blame", "search finds functions, files and threads", async (page) => {
		const results = () =>
			page.$$eval("#search-results .result", (found) =>
				found.map(
					(result) =>
						`${result.dataset.kind} ` +
						`${result.querySelector(".result-name").textContent}`,
				),
			);

		await page.locator("#search").fill("async_sleep");
		assert.deepEqual(await results(), ["function async_sleep_blocking"]);
		await page.keyboard.press("Enter");
		assert.match(await selectionOf(page), /^frame\.0\./);
		const { from, until } = await windowOf(page);

		assert.ok(
			from > 50e6 && from < 80e6 && until > 156e6 && until < 200e6,
			"the window is where the function ran",
		);
		await page.locator("#search").fill("work.py");
		assert.deepEqual(await results(), ["file work.py"]);
		await page.locator("#search").fill("anyio worker");
		assert.deepEqual(await results(), ["thread 'AnyIO worker thread' (101)"]);
		await page.keyboard.press("Enter");
		assert.equal(await selectionOf(page), "thread.1");
		await page.locator("#search").fill("no such thing");
		assert.deepEqual(await results(), []);
		assert.match(await page.locator("#search-results").innerText(), /No matches/);
	});

	test("a link restores the window and what is chosen, also when it changes", async () => {
		const first = await timeline("blame");

		await first.page.locator("#tab-stalls").click();
		await first.page.locator('[data-stall="1"] button').click();
		await first.page.keyboard.press("w");
		await first.page.waitForFunction(
			() => location.hash.includes("stall.1") && location.hash.includes("t="),
		);
		await first.page.waitForTimeout(300);
		const fragment = await first.page.evaluate(() => location.hash),
			chosen = await windowOf(first.page);

		await first.close();
		const second = await timeline("blame", { fragment });

		assert.deepEqual(await windowOf(second.page), chosen);
		assert.equal(await selectionOf(second.page), "stall.1");
		await second.page.evaluate(() => (location.hash = "#t=1000000-9000000&s=thread.1"));
		await second.page.waitForFunction(() => window.gilscope.selection === "thread.1");
		assert.deepEqual(
			(({ from, until }) => [from, until])(await windowOf(second.page)),
			[1000000, 9000000],
		);
		for (const nonsense of [
			"#t=9-3&s=stall.99",
			"#s=state.0.999999999",
			"#s=__proto__.1&t=x",
			"#s=frame.0.0.0",
			"#%%%",
			"#t=99999999999999-999999999999999",
		]) {
			await second.page.evaluate((hash) => (location.hash = hash), nonsense);
			await second.page.waitForFunction(
				() => window.gilscope.selection === null && window.gilscope.window.from === 0,
			);
		}
		assert.deepEqual(second.complaints, []);
		await second.close();
	});

	for (const name of ["hostile_names", "hostile_stacks"])
		on(name, "names are text", async (page, json) => {
			const names = await page.$$eval(".lane-name", (found) =>
				found.map((label) => label.textContent),
			);

			assert.equal(
				await page.evaluate(() => document.scripts.length),
				await page.evaluate(() => document.querySelectorAll("script[id]").length + 1),
				"no script came from a name",
			);
			for (const thread of threadsOf(json))
				assert.ok(
					names.some((label) =>
						label.includes(
							(thread.python_name ?? thread.name).replace(
								/[\x00-\x1f\u202e][\s\S]*/,
								"",
							),
						),
					),
					thread.name,
				);
			assert.doesNotMatch(
				await page.locator("body").innerText(),
				/[\x00-\x08\x0e-\x1f\x7f\u202a-\u202e]/,
				"nothing that cannot be seen, or that turns the line around",
			);
			if (stallsOf(json).length) {
				await page.locator("#tab-stalls").click();
				await page.locator('[data-stall="0"] button').click();
				for (const blocker of stallsOf(json)[0].blockers)
					assert.ok(
						(await page.locator("#details").innerText()).includes("</script>") ||
							!blocker.thread.includes("</script>"),
					);
			}
			for (const element of await page.$$("#search, #tab-flame")) await element.click();
			await page.locator("#search").fill("<");
		});

	on(
		"blame",
		"the flame graph is that of the window and of what is chosen",
		async (page, json) => {
			await page.locator("#tab-flame").click();
			await page.locator("#flame-states").selectOption("blocked");
			await page.locator("#flame-threads").selectOption("0");
			await page.waitForFunction(() =>
				document.querySelector("#flame-graph").textContent.includes("80.0"),
			);
			await page.locator("#flame-graph .flamegraph-totable").click();
			const text = await page.locator("#flame-graph").innerText();

			assert.match(text, /async_sleep_blocking/);
			assert.equal(threadsOf(json)[0].states.blocked, 79990000);
		},
	);
});
