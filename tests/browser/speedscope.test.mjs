// SPDX-License-Identifier: MIT
// The real speedscope application opens what `gilscope export --format speedscope` writes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { MODULES, folder, gilscope, launch, quit, script } from "./harness.mjs";
import { colours } from "./pixels.mjs";

after(quit);

const APPLICATION = path.join(MODULES, "speedscope/dist/release/");
const UNITS = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

async function openProfile(file) {
	const page = await (await launch()).newPage({ viewport: { width: 1280, height: 800 } }),
		complaints = [],
		outside = [];
	// a WebGL driver's remark about its speed without a graphics card is not a fault
	page.on(
		"console",
		(message) =>
			(message.type() === "error" ||
				(message.type() === "warning" && !message.text().includes("GPU stall")) ||
				/fail|error/i.test(message.text())) &&
			complaints.push(message.text()),
	);
	page.on("pageerror", (error) => complaints.push(String(error)));
	page.on(
		"request",
		(request) => /^(file|data|blob):/.test(request.url()) || outside.push(request.url()),
	);
	await page.goto(pathToFileURL(path.join(APPLICATION, "index.html")).href);
	await page.setInputFiles("input[type=file]", file);
	await page.waitForFunction(() => document.title === "gilscope - speedscope");
	return { page, complaints, outside };
}

// "66.02ms": in ns, and what one step of its last digit is worth.
function weight(text) {
	const [, digits, unit] = text.match(/^([\d.]+)(ns|µs|ms|s)\b/);
	return { ns: Number(digits) * UNITS[unit], step: 0.01 * UNITS[unit] };
}

const cells = (table) =>
	table.evaluate((element) =>
		[...element.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())),
	);

for (const name of ["blame", "hostile_stacks"])
	test(`${name}: every profile is there with its name, its weight and its frames`, async () => {
		const file = path.join(folder, `${name}.speedscope.json`);
		gilscope("export", script(name), "--format", "speedscope", "-o", file);
		const { profiles, shared } = JSON.parse(readFileSync(file, "utf8")),
			{ page, complaints, outside } = await openProfile(file);
		const [, ...list] = await cells(page.locator("table").first());
		assert.deepEqual(
			list.map(([, title]) => title),
			profiles.map((profile) => profile.name),
		);
		for (const [number, profile] of profiles.entries()) {
			const { ns, step } = weight(list[number][2]);
			assert.ok(
				Math.abs(ns - profile.endValue) <= step,
				`${profile.name}: ${list[number][2]} of ${profile.endValue}`,
			);
			assert.ok(
				(await page.locator("body").innerText()).includes(
					`${profile.name} (${number + 1}/${profiles.length})`,
				),
				profile.name,
			);
			assert.ok((await colours(page)).count > 50, "the flame graph is not drawn");
			await page.keyboard.press("3");
			await page.getByText("Symbol Name").waitFor();
			/* the rows come after the heading */
			await page.locator("table").last().locator("tr").nth(1).waitFor();
			const shown = (await cells(page.locator("table").last())).map((row) => row.at(-1));
			assert.deepEqual(
				new Set(shown),
				new Set(profile.samples.flat().map((frame) => shared.frames[frame].name.trim())),
				profile.name,
			);
			await page.keyboard.press("1");
			await page.keyboard.press("n");
		}
		assert.deepEqual({ complaints, outside }, { complaints: [], outside: [] });
		await page.close();
	});
