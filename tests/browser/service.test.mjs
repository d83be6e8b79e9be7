// SPDX-License-Identifier: MIT
// The lanes of a service: a group for each process, worst first, folded when it was quiet.
import assert from "node:assert/strict";
import { on } from "./timeline.mjs";

const heads = (page) =>
	page.$$eval(".lane-process", (labels) =>
		labels
			.filter((label) => !label.hidden)
			.map((label) => ({
				text: label.textContent,
				open: label.querySelector("button").getAttribute("aria-expanded") === "true",
				top: label.getBoundingClientRect().top,
			})),
	);
const pidOf = ({ text }) => Number(/process (\d+)/.exec(text)[1]);
const laneCount = (page) =>
	page.$$eval(".lane-label", (labels) => labels.filter((label) => !label.hidden).length);

on("worker_deaths", "processes are in order, and quiet ones folded", async (page, json) => {
	const shown = (await heads(page)).sort((a, b) => a.top - b.top);

	assert.deepEqual(
		shown.slice(0, 2).map(pidOf),
		json.service.worst_first.slice(0, 2),
		"the worst come first",
	);
	assert.deepEqual(
		shown.map(pidOf).sort(),
		json.processes.map(({ pid }) => pid).sort(),
		"each is there",
	);
	assert.deepEqual(
		shown.map(({ open }) => open),
		shown.map((_, place) => place < 3),
	);
	assert.match(shown[0].text, /worker 1 of uvicorn app:app --workers 7/);
	assert.match(shown[0].text, /1\sstall,\s800\sms$/);
	assert.match(shown[7].text, /no event loop$/);
});

on("worker_deaths", "a process is opened and folded with its button", async (page) => {
	const before = await laneCount(page),
		button = page.locator(".lane-process", { hasText: "process 113" }).locator("button");

	await button.click();
	const opened = await laneCount(page);

	assert.ok(opened > before, `${opened} lanes, ${before} before`);
	assert.equal((await heads(page)).filter(({ open }) => open).length, 4);
	await button.click();
	assert.equal(await laneCount(page), before);
});

on("worker_deaths", "a stall that is chosen opens its process", async (page) => {
	const head = page.locator(".lane-process", { hasText: "process 112" });
	const isOpen = () => head.locator("button").getAttribute("aria-expanded");

	await head.locator("button").click();
	assert.equal(await isOpen(), "false");
	await page.getByRole("tab", { name: /Stalls/ }).click();
	await page.locator('[data-stall="1"] button').click();
	assert.equal(await isOpen(), "true");
});
