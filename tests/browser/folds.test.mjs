// SPDX-License-Identifier: MIT
// Frames of packages and of the standard library as one box, in the lanes and in the flame graph;
// and threads that only sleep as one line.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { folder, make, open, quit, script } from "./harness.mjs";
import { inked, placeOf, rowsOf, selectionOf } from "./timeline.mjs";

after(quit);

const SLEEPERS = [102, 103, 104, 105], // of which 104 wakes once
	ROW = 15, // of a flame lane
	SLEEP = 110e6, // the loop's route sleeps
	FOUND = "#f2c230";

/* The golden recording "blame", with a route that calls a package which calls on; and with threads
 * that only sleep. */
function calling() {
	const file = path.join(folder, "calling.script"),
		threads = SLEEPERS.flatMap((tid) => [
			`100.000000000 ${tid} thread python pid=100 nstid=${tid}`,
			`100.000000000 ${tid} comm pid=100 comm=sleeper-${tid}`,
		]);

	writeFileSync(
		file,
		readFileSync(script("blame"), "utf8")
			.replace(
				"text 1 ",
				[
					"function 14 line=60 name=get file=/srv/lib/site-packages/requests/api.py",
					"function 15 line=70 name=Session.send file=/srv/site-packages/requests/s.py",
					"function 16 line=80 name=urlopen file=/srv/lib/site-packages/urllib3/pool.py",
					"function 17 line=90 name=SocketIO.readinto file=/usr/lib/python3.11/socket.py",
					"text 1 ",
				].join("\n"),
			)
			.replace("stack 1 5:42 ", "stack 1 17:91 16:81 15:71 14:61 5:42 ")
			.replace("100.000000000 100 epoll ", `${threads.join("\n")}\n100.000000000 100 epoll `)
			.replace(
				"100.000000000 101 state\n",
				"100.000000000 101 state\n" +
					SLEEPERS.map(
						(tid) => `100.000000000 ${tid} state asleep syscall sysno=202\n`,
					).join(""),
			)
			.replace(
				"100.075000000 100 wake ",
				"100.072000000 104 wake cpu=3\n100.072100000 104 switch_in cpu=3\n" +
					"100.074000000 104 switch_out cpu=3 syscall sysno=202\n" +
					"100.075000000 100 wake ",
			),
	);
	return make("timeline", file);
}

async function opened(options = {}) {
	const page = await open(calling(), { reducedMotion: "reduce", ...options });

	await page.page.waitForFunction(() => window.gilscope?.ready);
	return page;
}

function on(words, check, options) {
	test(words, async () => {
		const { page, complaints, close } = await opened(options);

		await check(page);
		assert.deepEqual(complaints, []);
		await close();
	});
}

const boxesAt = (page, thread, time) =>
	page.evaluate(([number, at]) => window.gilscope.boxesAt(number, at), [thread, time]);
/* Where a row of the loop's flame lane is while its route sleeps. */
async function boxPlace(page, number) {
	const { height } = (await rowsOf(page)).find(({ kind, owner }) => kind === "flame" && !owner),
		place = await placeOf(page, "flame", 0, SLEEP);

	return { x: place.x, y: place.y - height / 2 + number * ROW + ROW / 2 };
}
const FOLDED = [
	"▸ fastapi (4)",
	"async_sleep_blocking",
	"get",
	"▸ requests · urllib3 (2)",
	"SocketIO.readinto",
];

on("frames of others are one box, without what ran and what your code called", async (page) => {
	assert.deepEqual(await boxesAt(page, 0, SLEEP), FOLDED);
	assert.deepEqual(await boxesAt(page, 1, 20e6), ["▸ anyio (3)", "sync_cpu", "count"]);
	assert.deepEqual(
		await boxesAt(page, 0, 65e6),
		["▸ asyncio (2)", "Handle._run"],
		"without a package the standard library's modules",
	);
});

on("a click opens a fold, and another one closes it", async (page) => {
	const { x, y } = await boxPlace(page, 0),
		before = (await rowsOf(page)).find(({ kind, owner }) => kind === "flame" && !owner).height;

	await page.mouse.move(x, y);
	assert.match(
		await page.locator("#tooltip").innerText(),
		/fastapi \(4\)[\s\S]*4\sframes of others: asyncio 3, fastapi 1[\s\S]*81\s000\s000\sns/,
	);
	await page.mouse.click(x, y);
	assert.deepEqual(await boxesAt(page, 0, SLEEP), [
		"▾ fastapi (4)",
		"run",
		"BaseEventLoop._run_once",
		"Handle._run",
		"run_endpoint_function",
		...FOLDED.slice(1),
	]);
	assert.equal(
		(await rowsOf(page)).find(({ kind, owner }) => kind === "flame" && !owner).height,
		before + 4 * ROW,
		"all of it is in sight",
	);
	assert.equal(await selectionOf(page), null, "nothing was chosen");
	await page.mouse.click(x, y);
	assert.deepEqual(await boxesAt(page, 0, SLEEP), FOLDED);
});

on("a key and a button show all frames, and the address keeps it", async (page) => {
	const all = [
		"run",
		"BaseEventLoop._run_once",
		"Handle._run",
		"run_endpoint_function",
		"async_sleep_blocking",
		"get",
		"Session.send",
		"urlopen",
		"SocketIO.readinto",
	];

	await page.keyboard.press("u");
	assert.deepEqual(await boxesAt(page, 0, SLEEP), all);
	for (const button of ["#unfold", "#flame-unfold"])
		assert.equal(await page.locator(button).getAttribute("aria-pressed"), "true");
	await page.waitForFunction(() => location.hash === "#frames=all");
	await page.reload();
	await page.waitForFunction(() => window.gilscope?.ready);
	assert.deepEqual(await boxesAt(page, 0, SLEEP), all);
	await page.locator("#unfold").click();
	assert.deepEqual(await boxesAt(page, 0, SLEEP), FOLDED);
	await page.waitForFunction(() => location.hash === "");
});

on("a search lights the fold that hides a match, and going there opens it", async (page) => {
	const fold = await boxPlace(page, 3),
		{ y } = await page.locator("#pictures").boundingBox(),
		lit = () =>
			inked(page, "picture", { colour: FOUND, y: fold.y - y - ROW / 2 + 2, height: ROW - 5 });

	assert.equal(await lit(), 0);
	await page.locator("#search").fill("urlopen");
	await page.waitForTimeout(60);
	assert.ok((await lit()) > 0.2, "the fold is lit");
	await page.keyboard.press("Enter");
	assert.match(await selectionOf(page), /^frame\.0\./);
	assert.deepEqual((await boxesAt(page, 0, SLEEP)).slice(3), [
		"▾ requests · urllib3 (2)",
		"Session.send",
		"urlopen",
		"SocketIO.readinto",
	]);
	const address = await page.evaluate(() => `#s=${window.gilscope.selection}`);

	await page.keyboard.press("Escape");
	await page.evaluate((hash) => (location.hash = hash), address);
	await page.reload();
	await page.waitForFunction(() => window.gilscope?.selection);
	assert.equal((await boxesAt(page, 0, SLEEP))[5], "urlopen", "so does a link to it");
});

on("a frame's tooltip has its package and whose it is", async (page) => {
	for (const [number, words] of [
		[1, /async_sleep_blocking[\s\S]*app\.py:42[\s\S]*your code/],
		[2, /get[\s\S]*requests · packages/],
		[4, /readinto[\s\S]*socket · standard library/],
	]) {
		const { x, y } = await boxPlace(page, number);

		await page.mouse.move(x, y);
		assert.match(await page.locator("#tooltip").innerText(), words);
	}
});

const status = (page) => page.locator("#flame-graph .flamegraph-status").innerText();

on("the flame graph's figures do not depend on what is folded", async (page) => {
	await page.locator("#tab-flame").click();
	await page.locator("#flame-states").selectOption("all");
	await page.locator("#flame-graph .flamegraph-totable").click();
	const figures = async (needle) => {
		await page.locator("#flame-graph .flamegraph-search").fill(needle);
		return [
			await status(page),
			await page.locator("#flame-graph .flamegraph-found").innerText(),
			await page.locator("#flame-graph .flamegraph-table").innerText(),
		];
	};
	const folded = [];

	for (const needle of ["urlopen", "_run_once", "asyncio", "no such thing"])
		folded.push(await figures(needle));
	await page.locator("#flame-unfold").click();
	for (const [at, needle] of ["urlopen", "_run_once", "asyncio", "no such thing"].entries())
		assert.deepEqual(await figures(needle), folded[at], needle);
	assert.match(folded[0][1], /80\.0/);
	assert.match(folded[0][2], /urlopen/);
});

on("in the flame graph the keyboard opens folds", async (page) => {
	await page.locator("#tab-flame").click();
	await page.locator("#flame-states").selectOption("blocked");
	await page.locator("#flame-threads").selectOption("0");
	await page.locator("#flame-graph .flamegraph-view").focus();
	const walk = async (...keys) => {
		for (const key of keys) await page.keyboard.press(key);
		return status(page);
	};

	assert.match(await walk("ArrowDown"), /^fastapi \(4\).*asyncio 3, fastapi 1/);
	assert.match(await walk("ArrowDown"), /^async_sleep_blocking.*your code/);
	assert.match(await walk("ArrowUp", "Enter", "ArrowDown"), /^run .*asyncio · standard library/);
	assert.match(await walk("ArrowUp", "Enter", "ArrowDown"), /^async_sleep_blocking/);
	await page.locator("#flame-graph .flamegraph-search").fill("urlopen");
	assert.match(await walk("Enter"), /^urlopen .*urllib3 · packages/);
});

on("the table of a zoomed frame has what is folded below it", async (page) => {
	await page.locator("#tab-flame").click();
	await page.locator("#flame-states").selectOption("blocked");
	await page.locator("#flame-threads").selectOption("0");
	await page.locator("#flame-graph .flamegraph-totable").click();
	await page.locator("#flame-graph .flamegraph-view").focus();
	/* to the fold, the handler, into it; the same from the fold of the package that it calls */
	for (const [keys, functions] of [
		[
			["ArrowDown", "ArrowDown", "Enter"],
			["Session.send", "SocketIO.readinto", "async_sleep_blocking", "get", "urlopen"],
		],
		[
			["ArrowDown", "Enter"],
			["Session.send", "SocketIO.readinto", "get", "urlopen"],
		],
	]) {
		for (const key of keys) await page.keyboard.press(key);
		assert.deepEqual(
			(
				await page.$$eval("#flame-graph tbody tr td:first-child", (found) =>
					found.map((cell) => cell.textContent),
				)
			).sort(),
			functions,
		);
		assert.deepEqual(
			await page.$$eval("#flame-graph tbody tr td:nth-child(5)", (found) => [
				...new Set(found.map((cell) => cell.textContent.replace(/\s/g, " "))),
			]),
			["80.0 ms"],
		);
	}
});

on("threads that only sleep are behind one line", async (page) => {
	const names = () =>
		page.$$eval(".lane-label", (labels) =>
			labels
				.filter((label) => label.checkVisibility())
				.map((label) => label.querySelector(".lane-name").textContent.replace(/\s/g, " ")),
		);
	const line = page.getByRole("button", { name: "3 sleeping threads" });

	assert.deepEqual(await names(), [
		"GIL",
		"MainThread",
		"AnyIO's pool",
		"AnyIO worker thread",
		"sleeper-104",
		"3 sleeping threads",
	]);
	await line.focus();
	await page.keyboard.press("Enter");
	assert.deepEqual((await names()).slice(6), ["sleeper-102", "sleeper-103", "sleeper-105"]);
	await page.keyboard.press("Enter");
	assert.equal((await names()).length, 6);
	await page.evaluate(() => (location.hash = "#s=thread.3"));
	await page.waitForFunction(() => window.gilscope.selection === "thread.3");
	assert.ok((await names()).includes("sleeper-103"), "a link shows them");
});

test("in the flame graph, too, a frame says its line of source", async () => {
	const { page, close } = await open(make("timeline", script("sources")));

	await page.waitForFunction(() => window.gilscope?.ready);
	await page.locator("#tab-flame").click();
	await page.locator("#flame-states").selectOption("blocked");
	await page.locator("#flame-threads").selectOption("0");
	await page.locator("#flame-graph .flamegraph-view").focus();
	for (const key of ["ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
	assert.match(
		await status(page),
		/@app\.get\("\/orders\/\{id\}"[\s\S]*time\.sleep\(seconds\)[\s\S]*your code/,
	);
	assert.doesNotMatch(await status(page), /\x1b/);
	await close();
});

on(
	"on a narrow screen names end in sight, and nothing is outside of the column",
	async (page) => {
		await page.getByRole("button", { name: "3 sleeping threads" }).click();
		const outside = await page.$$eval(
			".lane-label .lane-name, .lane-label .lane-share, #ruler-tools button",
			(found) =>
				found
					.filter((element) => element.checkVisibility())
					.filter(
						(element) =>
							element.getBoundingClientRect().right >
							document.querySelector("#ruler").getBoundingClientRect().left,
					)
					.map((element) => element.textContent),
		);

		assert.deepEqual(outside, []);
	},
	{ viewport: { width: 390, height: 844 } },
);
