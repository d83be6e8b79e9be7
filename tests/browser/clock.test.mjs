// SPDX-License-Identifier: MIT
// Moments on the timeline: since the recording's begin, as time of day here, or in UTC.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { folder, make, open, quit, report, script } from "./harness.mjs";
import { on, placeOf, stallsOf, windowOf } from "./timeline.mjs";

after(quit);

/* The recording "blame" begins at 100 s of its clock; here that is a moment shortly before midnight
 * of Katmandu, 18:15 UTC. */
const BEGIN = Date.UTC(2026, 10, 23, 18, 14, 59, 876),
	BEGIN_NS = BigInt(BEGIN) * 1000000n + 543210n;
const dated = path.join(folder, "dated.script");

writeFileSync(
	dated,
	readFileSync(script("blame"), "utf8").replace(
		'{"version"',
		`{"realtime_ns": ${BEGIN_NS - 100000000000n + 5n}, "monotonic_ns": 5, "version"`,
	),
);

/* "23:59:59.876", with all nanoseconds. */
function timeOfDay(ns, zone) {
	const at = BEGIN_NS + BigInt(ns),
		time = new Date(Number(at / 1000000n)).toLocaleTimeString("en-GB", { timeZone: zone });

	return `${time}.${String(at % 1000000000n).padStart(9, "0")}`;
}

const plain = (text) => text.replaceAll("\u202f", "").replaceAll("\u00a0", " ");

async function dates(fragment = "") {
	const opened = await open(make("timeline", dated), {
		fragment,
		timezoneId: "Asia/Kathmandu",
		reducedMotion: "reduce",
	});

	await opened.page.waitForFunction(() => window.gilscope?.ready);
	return opened;
}

for (const [name, zone, offset] of [
	["local", "Asia/Kathmandu", "UTC+05:45"],
	["utc", "UTC", "UTC"],
])
	test(`${name}: everywhere, and in the address`, async () => {
		const { page, complaints, close } = await dates(),
			json = report(dated),
			origin = json.window.start_ns,
			stall = stallsOf(json)[0],
			start = stall.start_ns - origin;
		const text = async (id) => plain(await page.locator(id).innerText());

		await page.locator("#tab-stalls").click();
		await page.locator('[data-stall="0"] button').click();
		assert.match(await text("#details"), /\+0\.010000000 s to/);
		await page.locator("#clock").selectOption(name);
		const exact = timeOfDay(start, zone),
			short = exact.slice(0, 12);

		assert.match(exact, zone === "UTC" ? /^18:14:59/ : /^23:59:59/);
		const end = timeOfDay(stall.end_ns - origin, zone);

		assert.ok((await text("#details")).includes(`${exact} to ${end} ${offset}`));
		assert.ok((await text("#details h3")).includes(short));
		assert.doesNotMatch(await text("#details"), /\+\d+\.\d/);
		assert.equal(await text('[data-stall="0"] .at'), short);
		assert.ok(
			(await page.locator('[data-stall="0"] button').getAttribute("aria-label")).includes(
				short,
			),
		);
		assert.ok((await text("#began")).endsWith(offset));
		assert.ok((await text("#began")).startsWith("2026-11-23"));
		const place = await placeOf(page, "states", 0, start + 20e6);

		await page.mouse.move(place.x, place.y);
		assert.match(await text("#crosshair-time"), /^\d\d:\d\d:\d\d\.\d+$/);
		assert.match(await text("#tooltip"), new RegExp(`from \\d\\d:\\d\\d:\\d\\d\\.\\d{9} U`));
		assert.match(
			await page.locator("#overview").getAttribute("aria-valuetext"),
			/^\d\d:\d\d:\d\d\..* to \d\d:\d\d:\d\d\./,
		);
		await page.waitForFunction((word) => location.hash.includes(`clock=${word}`), name);
		const again = await dates(await page.evaluate(() => location.hash));

		assert.equal(await again.page.locator("#clock").inputValue(), name);
		assert.ok(plain(await again.page.locator("#details h3").innerText()).includes(short));
		await page.evaluate(() => (location.hash = "#clock=nonsense"));
		await page.waitForFunction(() => document.getElementById("clock").value === "relative");
		assert.match(await text("#details"), /\+0\.000000000 s/);
		assert.deepEqual([...complaints, ...again.complaints], []);
		await again.close();
		await close();
	});

test("the choice names the zone; t takes the next one", async () => {
	const { page, close } = await dates();

	assert.deepEqual(await page.locator("#clock option").allInnerTexts(), [
		"Since begin",
		"Local (UTC+05:45)",
		"UTC",
	]);
	for (const name of ["local", "utc", "relative"]) {
		await page.keyboard.press("t");
		assert.equal(await page.locator("#clock").inputValue(), name);
	}
	await close();
});

test("the ruler's steps are whole ones of the clock", async () => {
	const { page, close } = await dates("#clock=local");
	const marks = () =>
		page.evaluate(() => {
			const { from, until, end, width } = window.gilscope.window,
				view = new View(end);

			view.set(from, until);
			view.width = width;
			return ticks(view, tickRoom(view)).times.map((time) => [
				time,
				tickText(time, ticks(view, tickRoom(view)).step),
			]);
		});

	for (const key of ["w", "w", "w", "w"]) {
		const shown = await marks(),
			{ from, until } = await windowOf(page);

		assert.ok(shown.length > 1);
		for (const [time, text] of shown) {
			assert.ok(time >= from && time <= until);
			assert.equal(
				timeOfDay(time, "Asia/Kathmandu").replace(/0+$/, ""),
				plain(text).replace(/0+$/, ""),
				"nothing is cut off",
			);
		}
		await page.keyboard.press(key);
	}
	await close();
});

on("blame", "a recording that does not know the time of day has no choice", async (page) => {
	assert.ok(await page.locator("#clock").isHidden());
	await page.keyboard.press("t");
	await page.evaluate(() => (location.hash = "#clock=utc&s=stall.0"));
	await page.waitForFunction(() => window.gilscope.selection === "stall.0");
	assert.match(plain(await page.locator("#details").innerText()), /\+0\.010000000 s to/);
});
