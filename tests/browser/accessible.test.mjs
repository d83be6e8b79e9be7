// SPDX-License-Identifier: MIT
// The pages for those who do not see them, or not well: axe-core has no finding in either theme,
// and no two buttons have one name, in any tab and with anything chosen.
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
						for (const tab of ["functions", "threads", "stalls"]) {
							await page.locator(`#tab-${tab}`).click();
							assert.deepEqual(await findings(page), [], tab);
						}
						await page.locator('[data-stall="0"] button').click();
						assert.deepEqual(await findings(page), [], "with a stall chosen");
						await page.keyboard.press("m");
						assert.deepEqual(await findings(page), [], "with a range selected");
						await page.locator("#tab-flame").click();
						assert.deepEqual(await findings(page), [], "flame graph");
						await page.locator(".flamegraph-totable").click();
						assert.deepEqual(await findings(page), [], "flame table");
						await page.keyboard.press("?");
						assert.deepEqual(await findings(page), [], "help");
					}
					await close();
				},
			);

/* The names that a screen reader has for what can be pressed or chosen. */
async function buttons(page) {
	const device = await page.context().newCDPSession(page),
		{ nodes } = await device.send("Accessibility.getFullAXTree");

	await device.detach();
	return nodes
		.filter(
			({ ignored, role }) =>
				!ignored &&
				["button", "tab", "link", "combobox", "searchbox"].includes(role?.value),
		)
		.map(({ role, name }) => `${role.value} ${name?.value}`);
}

async function assertUnique(page, words) {
	const names = await buttons(page);

	assert.ok(names.length > 10);
	assert.deepEqual(
		names.filter((name, place) => names.indexOf(name) !== place || !name.split(" ", 2)[1]),
		[],
		words,
	);
}

/* Addresses of things to choose, one of each kind and state that the recording has. */
const things = (page) =>
	page.evaluate(() => {
		const numbers = [...Array(40).keys()],
			found = (addresses, most = 1) =>
				addresses.filter((address) => window.gilscope.has(address)).slice(0, most);

		return [
			"thread.0",
			"range.0.90000000",
			...found(["function.0"]),
			...found(
				numbers.map((stall) => `stall.${stall}`),
				3,
			),
			...found(
				numbers.map((index) => `hold.0.${index}`),
				3,
			),
			...found(
				numbers.map((index) => `state.0.${index}`),
				12,
			),
			...found(numbers.map((index) => `turn.0.${index}`)),
			...found(["busy.0.0"]),
			...found(numbers.flatMap((index) => numbers.map((node) => `frame.0.${index}.${node}`))),
		];
	});

for (const name of [
	"blame",
	"many_threads",
	"two_processes",
	"pools",
	"contended",
	"hostile_names",
])
	test(`${name}: no two buttons have one name`, async () => {
		const { page, close } = await open(make("timeline", script(name), "--stall", "1us"), {
			viewport: { width: 1700, height: 1000 },
			reducedMotion: "reduce",
		});

		await page.waitForFunction(() => window.gilscope?.ready);
		for (const tab of ["functions", "stalls", "threads"]) {
			await page.locator(`#tab-${tab}`).click();
			await assertUnique(page, tab);
			for (const thing of await things(page)) {
				await page.evaluate((address) => (location.hash = `#s=${address}`), thing);
				await page.waitForFunction(
					(address) => window.gilscope.selection === address,
					thing,
				);
				await assertUnique(page, `${tab}, ${thing}`);
			}
		}
		await page.locator(".flamegraph-totable").click();
		await page.locator("#flame-states").selectOption("all");
		await assertUnique(page, "flame table");
		await close();
	});
