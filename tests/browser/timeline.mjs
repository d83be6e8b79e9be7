// SPDX-License-Identifier: MIT
// What the tests of the timeline page share: a page of a golden script, and questions to it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { folder, make, open, report, script } from "./harness.mjs";

export const STATES = [
	"python",
	"native",
	"gil_wait",
	"held_blocked",
	"held_runnable",
	"blocked",
	"runnable",
	"idle",
	"unknown",
];

export async function timeline(name, options = {}) {
	const opened = await open(make("timeline", script(name)), {
		reducedMotion: "reduce",
		...options,
	});

	await opened.page.waitForFunction(() => window.gilscope?.ready);
	return opened;
}

/* Runs a check with a page, and asserts that there were no complaints and no requests. */
export function on(name, words, check, options) {
	test(`${name}: ${words}`, async () => {
		const opened = await timeline(name, options);

		try {
			await check(opened.page, report(script(name)));
			assert.deepEqual(opened.complaints, []);
			assert.deepEqual(opened.requests, []);
		} finally {
			await opened.close();
		}
	});
}

export const threadsOf = (json) => json.processes.flatMap((process) => process.threads);
export const stallsOf = (json) =>
	json.processes.flatMap((process) => process.loops.flatMap((loop) => loop.stalls));
export const windowOf = (page) => page.evaluate(() => window.gilscope.window);
export const selectionOf = (page) => page.evaluate(() => window.gilscope.selection);
export const rowsOf = (page) => page.evaluate(() => window.gilscope.rows);
/* What people read for a state. */
export const labelOf = (page, state) => page.evaluate((name) => stateLabel(name), state);
export const nonZero = (states) =>
	Object.fromEntries(Object.entries(states).filter(([, ns]) => ns));

/* The share of a canvas, or of a strip of it, with about a colour (#rrggbb), or with any at all.
 * Reads a copy: reading a canvas makes it slow. */
export function inked(page, canvas, { colour = "", y = 0, height = 0 } = {}) {
	return page.evaluate(
		([id, hex, from, rows]) => {
			const source = document.getElementById(id),
				top = Math.round(from * devicePixelRatio),
				tall = rows ? Math.round(rows * devicePixelRatio) : source.height;
			const copy = new OffscreenCanvas(source.width, tall).getContext("2d", {
				willReadFrequently: true,
			});

			copy.drawImage(source, 0, -top);
			const { data } = copy.getImageData(0, 0, source.width, tall),
				wanted = hex && [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
			let count = 0;

			for (let i = 0; i < data.length; i += 4)
				count +=
					data[i + 3] &&
					(!wanted || wanted.every((value, at) => Math.abs(data[i + at] - value) <= 2))
						? 1
						: 0;
			return count / (source.width * tall);
		},
		[canvas, colour, y, height],
	);
}

/* Where on the page an instant of a row is. */
export async function placeOf(page, kind, owner, time) {
	const row = (await rowsOf(page)).find(
		(candidate) => candidate.kind === kind && candidate.owner === owner,
	);
	const box = await page.locator("#pictures").boundingBox();

	assert.ok(row, `there is a row of ${kind} ${owner}`);
	return {
		x: box.x + (await page.evaluate((at) => window.gilscope.xOf(at), time)),
		y: box.y + row.y + row.height / 2,
	};
}

/* All exact figures in the details of one name. */
export const figures = (page, name) =>
	page.$$eval(`#details [data-figure="${name}"]`, (found) =>
		found.map((element) => Number(element.dataset.ns)),
	);

/* A recording of an hour with a stall in every second. */
export function longRecording() {
	const lines = readFileSync(script("blocked"), "utf8").trimEnd().split("\n"),
		first = lines.findIndex((line) => line.startsWith("100.01")),
		file = path.join(folder, "long.script");
	const turns = Array.from({ length: 3600 }, (_, second) =>
		lines.slice(first, -1).map((line) => line.replace(/^100/, String(100 + second))),
	);

	writeFileSync(
		file,
		[...lines.slice(0, first), ...turns.flat(), lines.at(-1).replace(/^100/, "3700"), ""].join(
			"\n",
		),
	);
	return file;
}
