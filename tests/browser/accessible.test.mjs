// SPDX-License-Identifier: MIT
// The pages for those who do not see them, or not well: axe-core has no finding in either theme,
// and no two buttons have one name.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { MODULES, make, open, quit, script } from "./harness.mjs";

after(quit);

const AXE = path.join(MODULES, "axe-core/axe.min.js");
const SIZES = [
	{ width: 1280, height: 800 },
	{ width: 390, height: 844 },
];

async function findings(page) {
	await page.evaluate(readFileSync(AXE, "utf8"));
	return page.evaluate(async () =>
		(await window.axe.run()).violations.flatMap(({ id, nodes }) =>
			nodes.map(({ target }) => `${id}: ${target.join(" ")}`),
		),
	);
}

for (const command of ["timeline", "flame"])
	for (const colorScheme of ["light", "dark"])
		for (const viewport of SIZES)
			test(
				`${command}: axe-core finds nothing, ${colorScheme}, ${viewport.width} pixels`,
				{ skip: !existsSync(AXE) && "axe-core is not installed" },
				async () => {
					const { page, close } = await open(make(command, script("blame")), {
						colorScheme,
						viewport,
						bypassCSP: true,
						reducedMotion: "reduce",
					});

					await page.waitForFunction(
						() =>
							window.gilscope?.ready ||
							document.querySelector("#graph:not([hidden])"),
					);
					assert.deepEqual(await findings(page), []);
					if (command === "timeline") {
						await page.locator("#tab-stalls").click();
						await page.locator('[data-stall="0"] button').click();
						assert.deepEqual(await findings(page), [], "with a stall chosen");
					}
					await close();
				},
			);

test("no two buttons of the timeline have one name", async () => {
	const { page, close } = await open(make("timeline", script("many_threads")));

	await page.waitForFunction(() => window.gilscope?.ready);
	const names = await page.$$eval("button:not([role=tab])", (buttons) =>
		buttons
			.filter((button) => button.checkVisibility() && button.closest("#lanes, #ruler-row"))
			.map((button) => button.getAttribute("aria-label") ?? button.textContent),
	);

	assert.ok(names.length > 10);
	assert.deepEqual(
		names.filter((name, place) => names.indexOf(name) !== place),
		[],
	);
	await close();
});
