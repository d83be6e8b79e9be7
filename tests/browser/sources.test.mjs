// SPDX-License-Identifier: MIT
// Lines of source and decorators on the timeline page; their text is hostile.
import assert from "node:assert/strict";
import { after, describe } from "node:test";
import { quit } from "./harness.mjs";
import { on, rowsOf, stallsOf } from "./timeline.mjs";

after(quit);

const codes = (page, selector) =>
	page.$$eval(`${selector} code.source`, (found) => found.map((one) => one.textContent));

describe("lines of source", () => {
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
