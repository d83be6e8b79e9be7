// SPDX-License-Identifier: MIT
// The timeline page where JavaScript is turned off: the text report, in Chromium and Firefox.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { MODULES, folder, gilscope, launch, make, quit, script } from "./harness.mjs";

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
