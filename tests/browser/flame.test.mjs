// SPDX-License-Identifier: MIT
// `gilscope flame`: its page in a browser, its picture as one shows it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { folder, gilscope, make, open, quit, report, script } from "./harness.mjs";
import { colours } from "./pixels.mjs";

after(quit);

const BLAME = script("blame"),
	MARK_LIGHT = [255, 233, 168];

// Time of all threads, by state.
function states(recording) {
	const sums = {};
	for (const { threads } of report(recording).processes)
		for (const thread of threads)
			for (const [state, ns] of Object.entries(thread.states))
				sums[state] = (sums[state] ?? 0) + ns;
	return sums;
}

async function openFlame(recording, words = [], context = {}) {
	const opened = await open(make("flame", recording, ...words), context);
	await opened.page.waitForFunction(
		() => performance.getEntriesByName("gilscope-loaded").length > 0,
	);
	return opened;
}

// The folded stacks: [{frames, ns}, …].
const folded = (recording, words) =>
	gilscope("export", recording, "--format", "folded", ...words)
		.trimEnd()
		.split("\n")
		.map((line) => ({
			frames: line.slice(0, line.lastIndexOf(" ")).split(";"),
			ns: Number(line.slice(line.lastIndexOf(" ") + 1)),
		}));

const status = (page) => page.locator(".flamegraph-status").innerText();
// "60.0 ms (60 010 000 ns)": the exact part.
const exact = (text) => Number(text.match(/\(([\d\s\u202f\u00a0]+)ns\)/)[1].replaceAll(/\D/g, ""));
// Waits for the end of the zoom's animation.
const settled = (page) =>
	page.waitForFunction(() => {
		const { range, zoomed } = window.flamePage.graph;
		return range.start === zoomed.start && range.end === zoomed.end;
	});

// The boxes with a name that are drawn: where in the window, and how long they are.
const boxes = (page, name) =>
	page.evaluate((wanted) => {
		const { graph } = window.flamePage,
			{ left, top } = graph.canvas.getBoundingClientRect();
		return [...graph.layout.all()]
			.sort((a, b) => a.start - b.start)
			.filter(({ node }) => node.name === wanted)
			.map(({ node }) => {
				const { x, y, width, height } = graph.locate(node);
				return {
					x: left + x + width / 2,
					y: top + y + height / 2,
					left: left + x,
					width,
					ns: node.ns,
					file: node.file,
					line: node.line,
				};
			});
	}, name);

// Red, green and blue of the canvas near the upper left corner of a box, where there is no text.
const colourAt = (page, { left, y }) =>
	page.evaluate(
		({ x, top }) => {
			const { canvas } = window.flamePage.graph,
				place = canvas.getBoundingClientRect(),
				ratio = devicePixelRatio;
			return [
				...canvas
					.getContext("2d")
					.getImageData((x + 2 - place.left) * ratio, (top - 8 - place.top) * ratio, 1, 1)
					.data,
			].slice(0, 3);
		},
		{ x: left, top: y },
	);

const only = async (page, state) => {
	await page.locator(`#states label:has([value=${state}])`).dblclick();
	await settled(page);
};

test("a state alone weighs what the report says, and so do all together", async () => {
	const { page, complaints, requests, close } = await openFlame(BLAME),
		sums = states(BLAME);
	let checked = 0;
	for (const [state, ns] of Object.entries(sums)) {
		if (!ns) {
			assert.ok(await page.locator(`#states [value=${state}]`).isDisabled(), state);
			continue;
		}
		await only(page, state);
		assert.equal(exact(await status(page)), ns, state);
		assert.match(
			await page.locator(`#states label:has([value=${state}])`).getAttribute("title"),
			/\d/,
		);
		checked++;
	}
	assert.ok(checked >= 4);
	for (const [state, ns] of Object.entries(sums))
		if (ns) await page.locator(`#states [value=${state}]`).check({ force: true });
	assert.equal(
		exact(await status(page)),
		Object.values(sums).reduce((sum, ns) => sum + ns, 0),
	);
	await page.locator("#states [value=blocked]").uncheck({ force: true });
	assert.equal(
		exact(await status(page)),
		Object.entries(sums).reduce((sum, [state, ns]) => sum + (state === "blocked" ? 0 : ns), 0),
	);
	assert.deepEqual({ complaints, requests }, { complaints: [], requests: [] });
	await close();
});

test("nobody is shown at first who waits for work", async () => {
	const { page, close } = await openFlame(BLAME);
	const chosen = await page
		.locator("#states input:checked")
		.evaluateAll((all) => all.map(({ value }) => value));
	assert.ok(
		chosen.includes("python") &&
			chosen.includes("gil_wait") &&
			!chosen.includes("idle") &&
			!chosen.includes("blocked"),
	);
	await close();
	const asked = await openFlame(BLAME, ["--state", "blocked,idle"]);
	assert.deepEqual(
		await asked.page
			.locator("#states input:checked")
			.evaluateAll((all) => all.map(({ value }) => value)),
		["blocked", "idle"],
	);
	await asked.close();
});

test("waiting for the GIL by waiter or by holder weighs the same", async () => {
	const { page, close } = await openFlame(BLAME),
		waited = states(BLAME).gil_wait;
	await only(page, "gil_wait");
	assert.equal((await boxes(page, "sync_cpu")).length, 0);
	await page.getByLabel("holder").check();
	await settled(page);
	const [holder] = await boxes(page, "sync_cpu");
	assert.ok(holder.ns > 0.9 * waited && holder.ns <= waited);
	assert.equal(exact(await status(page)), waited);
	await close();
});

test("a click zooms, Escape goes back, and the way there leads anywhere on it", async () => {
	const { page, close } = await openFlame(BLAME),
		[route] = await boxes(page, "callback tick");
	const graphWidth = await page.evaluate(() => window.flamePage.graph.width);
	assert.ok(route.width < graphWidth / 2);
	await page.mouse.click(route.x, route.y);
	await settled(page);
	assert.ok(Math.abs((await boxes(page, "callback tick"))[0].width - graphWidth) < 1);
	assert.deepEqual(await page.locator(".flamegraph-trail button").allInnerTexts(), [
		"all",
		"MainThread (100)",
		"callback tick",
	]);
	assert.equal(exact(await status(page)), route.ns);
	await page.locator(".flamegraph-trail button").nth(1).click();
	await settled(page);
	assert.ok((await boxes(page, "callback tick"))[0].width < graphWidth * 0.9);
	await page.locator(".flamegraph-view").focus();
	await page.keyboard.press("Escape");
	await settled(page);
	assert.ok(Math.abs((await boxes(page, "callback tick"))[0].width - graphWidth) < 1);
	await page.keyboard.press("Escape");
	await settled(page);
	assert.deepEqual(await page.locator(".flamegraph-trail button").allInnerTexts(), ["all"]);
	await close();
});

test("the keyboard reaches every frame, and what has the focus is said", async () => {
	const { page, close } = await openFlame(BLAME, ["--state", "python"]);
	await page.locator(".flamegraph-view").focus();
	for (const [key, words] of [
		["ArrowDown", /^MainThread \(100\)/],
		["ArrowRight", /^AnyIO worker thread \(101\)/],
		["ArrowDown", /^executor sync_cpu.*app\.py:10/],
		["ArrowDown", /^Thread\._bootstrap /],
		["ArrowUp", /^executor sync_cpu/],
		["ArrowLeft", /^\[no handler\]|^callback/],
	]) {
		await page.keyboard.press(key);
		assert.match(await status(page), words, key);
	}
	await page.keyboard.press("Home");
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("Enter");
	await settled(page);
	assert.deepEqual(await page.locator(".flamegraph-trail button").allInnerTexts(), [
		"python",
		"MainThread (100)",
	]);
	assert.equal(await page.locator(".flamegraph-status").getAttribute("aria-live"), "polite");
	await close();
});

test("a search marks what it finds and says its share, nothing counted twice", async () => {
	const { page, close } = await openFlame(BLAME, ["--state", "python"]),
		total = states(BLAME).python;
	const [before] = await boxes(page, "Thread._bootstrap_inner"),
		[other] = await boxes(page, "tick"),
		plain = await colourAt(page, other);
	await page.keyboard.press("/");
	await page.keyboard.type("_BOOTSTRAP");
	const share = (100 * before.ns) / total,
		said = await page.locator(".flamegraph-found").innerText();
	assert.equal(Number(said.match(/^([\d.]+)/)[1]), Math.round(share));
	assert.match(said, /matched, 66\.0/);
	assert.deepEqual(await colourAt(page, before), MARK_LIGHT);
	assert.notDeepEqual(await colourAt(page, other), plain);
	await page.keyboard.press("Enter");
	assert.match(await status(page), /^Thread\._bootstrap/);
	await page.locator(".flamegraph-search").fill("no such thing");
	assert.equal(await page.locator(".flamegraph-found").innerText(), "not found");
	await page.keyboard.press("Escape");
	assert.deepEqual(await colourAt(page, other), plain);
	await close();
});

test("a tooltip has the name, the place, the exact time and the shares", async () => {
	const { page, close } = await openFlame(BLAME, ["--state", "python"]),
		[box] = await boxes(page, "count");
	await page.mouse.move(box.x, box.y);
	const [name, place, times] = (await page.locator(".flamegraph-tip").innerText()).split("\n");
	assert.deepEqual([name, place, exact(times)], ["count", "/srv/shop/work.py:7", box.ns]);
	assert.match(times, /43\s% of all/);
	await page.mouse.move(5, 5);
	assert.ok(await page.locator(".flamegraph-tip").isHidden());
	await close();
});

test("the table has the same figures as text", async () => {
	const { page, close } = await openFlame(BLAME, ["--state", "python,native"]);
	await page.getByRole("button", { name: "Table" }).click();
	const rows = await page
		.locator(".flamegraph-table tbody tr")
		.evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
	const dumps = rows.find(([name]) => name === "dumps");
	/* 38.88 ms python and 0.12 ms native, which are parts of it; threads and handlers are no
	 * functions */
	assert.deepEqual(dumps.map((text) => text.replaceAll(/\s/g, " ")).slice(1, 3), [
		"/usr/lib/python3.11/json/__init__.py",
		"39.0 ms",
	]);
	assert.ok(!rows.some(([name]) => /^(python|native|MainThread|callback)/.test(name)));
	assert.equal(rows[0][0], "count");
	await page.getByRole("button", { name: "Total" }).click();
	assert.equal(
		await page.locator(".flamegraph-table tbody tr").first().locator("td").first().innerText(),
		"run",
	);
	await close();
});

test("threads, handlers and lines are put together without losing anything", async () => {
	const { page, close } = await openFlame(BLAME),
		total = exact(await status(page));
	await page.getByLabel("threads").check();
	await page.getByLabel("handlers").check();
	await page.getByLabel("lines of a function").check();
	await settled(page);
	assert.equal(exact(await status(page)), total);
	assert.equal(
		(await boxes(page, "MainThread (100)")).length +
			(await boxes(page, "callback tick")).length,
		0,
	);
	const runs = await boxes(page, "run");
	assert.equal(runs.length, 1);
	assert.equal(runs[0].line, 0);
	// the loop's: all of its thread's chosen time but that without a stack
	const without = folded(BLAME, [
		"--state",
		"python,native,gil_wait,held_blocked,held_runnable,runnable,unknown",
	]);
	assert.equal(
		runs[0].ns,
		without
			.filter(({ frames }) => frames.some((frame) => frame.startsWith("run (")))
			.reduce((sum, { ns }) => sum + ns, 0),
	);
	await close();
});

test("it grows upwards, follows the window's size and the theme", async () => {
	const { page, close } = await openFlame(BLAME),
		[root] = await boxes(page, "all"),
		light = await colourAt(page, root);
	await page.getByRole("button", { name: "Flip" }).click();
	assert.ok((await boxes(page, "all"))[0].y > root.y + 50);
	await page.getByRole("button", { name: "Flip" }).click();
	await page.setViewportSize({ width: 700, height: 600 });
	await page.waitForFunction((before) => window.flamePage.graph.width < before - 400, root.width);
	assert.ok((await boxes(page, "all"))[0].width < 700);
	await page.emulateMedia({ colorScheme: "dark" });
	await page.waitForFunction(() => window.flamePage.dark);
	const dark = await colourAt(page, (await boxes(page, "all"))[0]);
	assert.ok(dark[0] < 100 && light[0] > 150, `${light} ${dark}`);
	await close();
});

// Names of a function and a thread as a hostile target may choose them, as a script writes them.
const EVIL = '</script><img\\x20src=x\\x20onerror="window.evil=1">&lt;&amp;\\x27]]>\\xef\\xbf\\xbe';
const EVIL_SHOWN = '</script><img src=x onerror="window.evil=1">&lt;&amp;\']]>\ufffe';

function hostile() {
	const file = path.join(folder, "evil.script");
	writeFileSync(
		file,
		readFileSync(script("hostile_stacks"), "latin1")
			.replaceAll("name=<lambda>", `name=${EVIL}`)
			.replaceAll("file=<string>", `file=/srv/${EVIL}`)
			.replace("text=\\x1b]0;title", `text=${EVIL}`)
			.replace("uvicorn app:app", "uvicorn </title><script>window.evil=1</script>"),
		"latin1",
	);
	return file;
}

test("hostile names are text", async () => {
	const { page, complaints, requests, close } = await openFlame(hostile());
	const [box] = await boxes(page, EVIL_SHOWN);
	assert.equal(box.file, `/srv/${EVIL_SHOWN}`);
	await page.mouse.move(box.x, box.y);
	assert.equal(await page.locator(".flamegraph-tip div").first().textContent(), EVIL_SHOWN);
	await page.mouse.click(box.x, box.y);
	await settled(page);
	await page.getByRole("button", { name: "Table" }).click();
	assert.equal(await page.locator(".flamegraph-trail [aria-current]").textContent(), EVIL_SHOWN);
	assert.ok(
		(await page.locator("#title").textContent()).startsWith(
			"uvicorn </title><script>window.evil=1</script>",
		),
	);
	assert.equal(await page.evaluate(() => window.evil), undefined);
	assert.equal(await page.locator("img").count(), 0);
	assert.deepEqual({ complaints, requests }, { complaints: [], requests: [] });
	await close();
});

test("a page without anything to show says why", async () => {
	const { page, close } = await openFlame(BLAME, ["--state", "held_blocked"]);
	assert.equal(
		await page.locator("#empty").innerText(),
		"No thread was asleep with the GIL in this recording.",
	);
	assert.ok(await page.locator("#graph").isHidden());
	await close();
	const without = await openFlame(script("quiet"));
	assert.match(await without.page.locator("#empty").innerText(), /^No stacks were taken/);
	assert.deepEqual(without.complaints, []);
	await without.close();
});

test("the picture shows in light and dark, with hostile names too", async () => {
	for (const recording of [BLAME, hostile()]) {
		const file = path.join(folder, `${path.basename(recording, ".script")}.svg`);
		gilscope("flame", recording, "-o", file);
		const ground = {};
		for (const colorScheme of ["light", "dark"]) {
			const { page, complaints, requests, close } = await open(file, { colorScheme });
			const { count, corner } = await colours(page);
			assert.ok(count > 20, `${count} colours`);
			ground[colorScheme] = corner;
			assert.equal(
				await page.evaluate(() => document.documentElement.namespaceURI),
				"http://www.w3.org/2000/svg",
			);
			assert.equal(
				await page.evaluate(
					() =>
						document.querySelectorAll("parsererror, script, img, foreignObject").length,
				),
				0,
			);
			/* no label is wider than its box */
			assert.deepEqual(
				await page.evaluate(() =>
					[...document.querySelectorAll("g")]
						.filter(
							(g) =>
								g.querySelector("text")?.getComputedTextLength() >
								g.querySelector("rect").width.baseVal.value - 4,
						)
						.map((g) => g.textContent),
				),
				[],
			);
			assert.deepEqual({ complaints, requests }, { complaints: [], requests: [] });
			await close();
		}
		assert.ok(ground.light > 240 && ground.dark < 60);
	}
});
