// SPDX-License-Identifier: MIT
// The browser starts; and timeline --serve in it: the page works over HTTP, and survives a reload.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { GILSCOPE, launch, quit, script } from "./harness.mjs";

after(quit);

test("Chromium starts", async () => {
	assert.match((await launch()).version(), /^\d+\./);
});

test("the page is shown, and shown again", async () => {
	const server = spawn(GILSCOPE, ["timeline", script("blame"), "--serve"]);
	const [said] = await once(server.stderr, "data");
	const [address] = String(said).match(/http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\//);
	const page = await (await launch()).newPage();
	const complaints = [],
		requests = [];

	page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
	page.on("pageerror", (error) => complaints.push(String(error)));
	page.on("request", (request) => requests.push(request.url()));
	try {
		await page.goto(address);
		await page.waitForFunction(() => window.gilscope?.ready);
		assert.equal(await page.locator("[data-stall]").count(), 3);
		await page.reload();
		await page.waitForFunction(() => window.gilscope?.ready);
		assert.deepEqual(complaints, []);
		assert.deepEqual(new Set(requests), new Set([address]));
	} finally {
		await page.close();
		server.kill("SIGINT");
		assert.deepEqual(await once(server, "exit"), [0, null]);
	}
});
