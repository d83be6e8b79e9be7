// SPDX-License-Identifier: MIT
// Measures how long a page takes to open, and to redraw when panned: browser.mjs PAGE ROUNDS.
// Prints {"loaded": [ms, …], "complete": [ms, …], "pan": [ms, …]}.
import { open, quit } from "../browser/harness.mjs";

const [file, rounds] = process.argv.slice(2),
	result = { loaded: [], complete: [], pan: [] };
const STEPS = 60,
	PIXELS = 9;

/* Drags the lanes left and back, like a hand; returns the page's own timing of each redraw. */
async function pan(page) {
	const box = await page.locator("#pictures").boundingBox(),
		y = box.y + box.height / 2;

	await page.evaluate(() => window.gilscope.measure.clear());
	await page.mouse.move(box.x + box.width - 20, y);
	await page.keyboard.down("Shift"); // without it a drag selects a range
	await page.mouse.down();
	for (let step = 1; step <= STEPS; step++) {
		await page.mouse.move(box.x + box.width - 20 - step * PIXELS, y);
		await page.evaluate(() => new Promise(requestAnimationFrame));
	}
	await page.mouse.up();
	await page.keyboard.up("Shift");
	return page.evaluate(() => window.gilscope.measure.redraws);
}

for (let round = 0; round < Number(rounds); round++) {
	const { page, close } = await open(file);

	await page.waitForFunction(
		() => performance.getEntriesByName("gilscope-complete").length > 0,
		null,
		{ timeout: 120000 },
	);
	for (const name of ["loaded", "complete"])
		result[name].push(
			await page.evaluate(
				(mark) => performance.getEntriesByName(`gilscope-${mark}`, "mark")[0].startTime,
				name,
			),
		);
	await page.locator("#lanes").focus();
	for (let zoom = 0; zoom < 2 + round; zoom++) await page.keyboard.press("w");
	await page.waitForTimeout(600);
	result.pan.push(...(await pan(page)));
	await close();
}
await quit();
console.log(JSON.stringify(result));
