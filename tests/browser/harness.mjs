// SPDX-License-Identifier: MIT
// What the browser tests share: pages made by gilscope, opened in Debian's Chromium, with every
// request and every complaint recorded.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const BUILD = path.resolve(ROOT, process.env.B ?? "build");
export const GILSCOPE = path.join(BUILD, "gilscope");
export const GOLDEN = path.join(ROOT, "tests/golden/cases");
export const MODULES = path.join(BUILD, "browser/node_modules");
const { chromium } = createRequire(path.join(MODULES, "/"))("playwright-core");

// Removed when the tests are over.
export const folder = mkdtempSync(path.join(tmpdir(), "gilscope-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

// Runs gilscope; a partial report (status 5) is accepted. Returns its standard output.
export function gilscope(...words) {
	const result = spawnSync(GILSCOPE, words, { encoding: "utf8", maxBuffer: 1 << 30 });
	assert.ok(
		result.status === 0 || result.status === 5,
		`gilscope ${words.join(" ")} ends with status ${result.status}\n${result.stderr}`,
	);
	return result.stdout;
}

export const report = (recording, ...words) =>
	JSON.parse(gilscope("report", recording, "--json", ...words));
export const script = (name) => path.join(GOLDEN, `${name}.script`);

// The page that a command makes of a recording: the path of the file.
export function make(command, recording, ...words) {
	const file = path.join(
		folder,
		`${command}-${path.basename(recording)}-${words.join("_").replaceAll(/\W/g, "")}.html`,
	);
	gilscope(command, recording, "-o", file, ...words);
	return file;
}

let browser;
export async function launch() {
	browser ??= await chromium.launch({
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: ["--no-sandbox"],
	});
	return browser;
}
export async function quit() {
	await browser?.close();
}

/*
 * Opens a file in a page of its own: {page, complaints, requests}. `complaints` has all console
 * errors, warnings and exceptions, `requests` every address requested other than the file itself;
 * none of these reaches the network.
 */
export async function open(file, { fragment = "", ...context } = {}) {
	const pages = await (
		await launch()
	).newContext({ viewport: { width: 1280, height: 800 }, ...context });
	const page = await pages.newPage();
	const complaints = [],
		requests = [],
		address = pathToFileURL(file).href;

	page.on(
		"console",
		(message) =>
			["error", "warning"].includes(message.type()) && complaints.push(message.text()),
	);
	page.on("pageerror", (error) => complaints.push(String(error)));
	await pages.route("**", (route) => {
		if (route.request().url().split("#")[0] === address) return route.continue();
		requests.push(route.request().url());
		return route.abort();
	});
	await page.goto(address + fragment);
	return { page, complaints, requests, close: () => pages.close() };
}
