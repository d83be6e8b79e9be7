// SPDX-License-Identifier: MIT
// The timeline page in Debian's Firefox (package firefox-esr), which the driver speaks to by
// WebDriver BiDi: the figures and the use that Chromium's tests check in detail.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { MODULES, folder, make, report, script } from "./harness.mjs";
import { placeOf, rowsOf, stallsOf, threadsOf } from "./timeline.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const { firefox } = createRequire(path.join(MODULES, "/"))("playwright-core");

/* A fold opens by a click, all of them by a key. */
async function checkFolds(page) {
	const boxes = () => page.evaluate(() => window.gilscope.boxesAt(0, 110e6)),
		frames = ["run", "BaseEventLoop._run_once", "Handle._run", "run_endpoint_function"],
		handler = "async_sleep_blocking";

	assert.deepEqual(await boxes(), ["▸ fastapi (4)", handler]);
	const { x, y } = await placeOf(page, "flame", 0, 110e6),
		{ height } = (await rowsOf(page)).find(({ kind, owner }) => kind === "flame" && !owner);

	await page.mouse.click(x, y - height / 2 + 7);
	assert.deepEqual(await boxes(), ["▾ fastapi (4)", ...frames, handler]);
	await page.keyboard.press("u");
	assert.deepEqual(await boxes(), [...frames, handler]);
	await page.keyboard.press("u");
	assert.deepEqual(await boxes(), ["▸ fastapi (4)", handler]);
}

/* The wheel scrolls, and zooms with Ctrl; a drag selects a range. */
async function gestures(page) {
	await page.goto(pathToFileURL(make("timeline", script("many_threads"))).href);
	await page.waitForFunction(() => window.gilscope?.ready);
	const { x, y } = await page.locator("#pictures").boundingBox(),
		{ end } = await page.evaluate(() => window.gilscope.window);

	await page.mouse.move(x + 300, y + 40);
	await page.mouse.wheel(0, 120);
	await page.waitForFunction(() => document.getElementById("lanes").scrollTop > 50);
	assert.equal(await page.evaluate(() => window.gilscope.window.until), end);
	await page.keyboard.down("Control");
	await page.mouse.wheel(0, -120);
	await page.keyboard.up("Control");
	await page.waitForFunction((whole) => window.gilscope.window.until < whole, end);
	await page.mouse.down();
	await page.mouse.move(x + 500, y + 60, { steps: 4 });
	await page.mouse.up();
	assert.match(await page.evaluate(() => window.gilscope.selection), /^range\.\d+\.\d+$/);
}

for (const colorScheme of ["light", "dark"])
	test(
		`Firefox, ${colorScheme}: opens without a complaint, and lists and keys work`,
		{ skip: !existsSync(FIREFOX) && "firefox-esr is not installed" },
		async () => {
			const browser = await firefox.launch({
				channel: "moz-firefox",
				executablePath: FIREFOX,
				env: { ...process.env, HOME: folder },
				/* this Firefox does not take the page's colorScheme */
				firefoxUserPrefs: {
					"layout.css.prefers-color-scheme.content-override": +(colorScheme === "light"),
				},
			});

			try {
				const page = await browser.newPage({ colorScheme, reducedMotion: "reduce" }),
					json = report(script("blame")),
					complaints = [];
				const selection = () => page.evaluate(() => window.gilscope.selection);

				page.on("pageerror", (error) => complaints.push(String(error)));
				await page.goto(pathToFileURL(make("timeline", script("blame"))).href);
				await page.waitForFunction(() => window.gilscope?.ready);
				assert.equal(await page.evaluate(() => darkTheme()), colorScheme === "dark");
				for (const [number, thread] of threadsOf(json).entries())
					assert.deepEqual(
						await page.evaluate(
							(at) => window.gilscope.sums(at, 0, window.gilscope.window.end),
							number,
						),
						thread.states,
					);
				await page.locator("#functions button").first().click();
				assert.equal(await selection(), "function.0");
				await page.keyboard.press("Escape");
				await page.locator("#tab-stalls").click();
				assert.equal(await page.locator("[data-stall]").count(), stallsOf(json).length);
				await page.keyboard.press("n");
				assert.equal(await selection(), "stall.1");
				await checkFolds(page);
				await gestures(page);
				assert.deepEqual(complaints, []);
			} finally {
				await browser.close();
			}
		},
	);
