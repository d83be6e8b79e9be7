// SPDX-License-Identifier: MIT
// The timeline page where JavaScript is turned off, in Chromium and Firefox, and on paper.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { MODULES, folder, gilscope, launch, make, open, quit, script } from "./harness.mjs";
import { inked, labelOf, longRecording, on, stallsOf, timeline } from "./timeline.mjs";

after(quit);

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const { firefox } = createRequire(path.join(MODULES, "/"))("playwright-core");
const NAMES = ["blame", "hostile_names", "hostile_stacks"];

async function check(page, name) {
	const report = page.locator("pre.report"),
		hidden = ["#top", "main", "#legend", "#help", "#tooltip"];

	await page.goto(pathToFileURL(make("timeline", script(name))).href);
	assert.equal(await report.textContent(), gilscope("report", script(name), "--all"));
	assert.equal(await report.locator("*").count(), 0, "no name is markup");
	assert.ok(await report.isVisible());
	for (const id of hidden) assert.ok(!(await page.locator(id).isVisible()), `${id} is hidden`);
	await page.setViewportSize({ width: 390, height: 844 });
	const { x, width } = await report.boundingBox();

	assert.ok(x >= 0 && x + width <= 390, "wide lines scroll, the page does not");
}

describe("without JavaScript the text report is shown", () => {
	for (const name of NAMES)
		test(`${name}, Chromium`, async () => {
			const pages = await (await launch()).newContext({ javaScriptEnabled: false });

			await check(await pages.newPage(), name);
			await pages.close();
		});

	test("Firefox", { skip: !existsSync(FIREFOX) && "firefox-esr is not installed" }, async () => {
		const browser = await firefox.launch({
			channel: "moz-firefox",
			executablePath: FIREFOX,
			env: { ...process.env, HOME: folder },
			firefoxUserPrefs: { "javascript.enabled": false },
		});

		try {
			for (const name of NAMES) await check(await browser.newPage(), name);
		} finally {
			await browser.close();
		}
	});
});

const pagesOf = (pdf) => pdf.toString("latin1").match(/\/Type\s*\/Page\b/g).length;

describe("on paper", () => {
	for (const name of ["blame", "many_threads", "two_processes", "pools", "hostile_names", ""])
		for (const options of [{ colorScheme: "dark" }, { viewport: { width: 390, height: 844 } }])
			test(`${name || "an hour"}: four pages at most, ${Object.keys(options)}`, async () => {
				const { page, complaints, close } = await open(
					make("timeline", name ? script(name) : longRecording()),
					options,
				);

				await page.waitForFunction(() => window.gilscope?.ready);
				for (const size of [
					{ preferCSSPageSize: true },
					{ format: "A4", landscape: true },
				]) {
					const pages = pagesOf(await page.pdf(size));

					assert.ok(pages >= 1 && pages <= 4, `${pages} pages`);
				}
				assert.equal(
					await page.locator("#print > *").count(),
					0,
					"the screen is as before",
				);
				assert.deepEqual(complaints, []);
				await close();
			});

	on("blame", "are verdict, findings, functions, stalls, and the lanes", async (page, json) => {
		await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
		await page.emulateMedia({ media: "print" });
		const words = await page.locator("#print").innerText();

		assert.ok(await page.locator("#verdict").isVisible());
		for (const { text, advice } of json.findings)
			assert.ok(words.includes(text) && words.includes(advice));
		for (const { handler } of json.blame) assert.ok(words.includes(handler.function));
		for (const { cause, task } of stallsOf(json))
			assert.ok(words.includes(await labelOf(page, cause)) && words.includes(task ?? ""));
		for (const id of ["#picture", "#overview-picture", "#ruler-picture", "#legend"])
			assert.ok(await page.locator(id).isVisible(), id);
		for (const id of ["#panels", "#top-tools", "#findings"])
			assert.ok(await page.locator(id).isHidden(), id);
		await page.emulateMedia({ media: "screen" });
		await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
		assert.ok(await page.locator("#print").isHidden());
		assert.ok(await page.locator("#panels").isVisible());
	});

	test("everything is dark on white, in a dark theme too", async () => {
		const { page, close } = await timeline("blame", { colorScheme: "dark" }),
			surface = () => page.evaluate(() => themeValue("--surface")),
			python = () => inked(page, "picture", { colour: "#e69f00" }),
			before = [await surface(), await python()];

		await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
		assert.equal(await surface(), "#ffffff");
		assert.ok((await python()) > 0.01);
		await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
		assert.deepEqual([await surface(), await python()], before);
		await close();
	});
});
