// SPDX-License-Identifier: MIT
// The colours of frames, by whose they are: everybody can tell them apart, and read what is on
// them. And the page in the colours that the reader chose.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import vm from "node:vm";
import { BUILD, ROOT, make, open, quit, script } from "./harness.mjs";
import { inked, rowsOf } from "./timeline.mjs";

after(quit);

const source = (name) => readFileSync(path.join(ROOT, `user/view/${name}`), "utf8");
const { OWNER_LOOKS, OWNER_FOLDED, ownerColour, middleCut } = vm.runInNewContext(
	[
		readFileSync(path.join(BUILD, "gen/constants.js"), "utf8"),
		source("assets/format.js"),
		source("assets/colours.js"),
		"({ OWNER_LOOKS, OWNER_FOLDED, ownerColour, middleCut })",
	].join("\n"),
);

/* Red, green and blue as light, 0 to 1, of hsl(H S% L%) or #rrggbb. */
function lightOf(colour) {
	const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

	if (colour.startsWith("#"))
		return [1, 3, 5].map((at) => linear(parseInt(colour.slice(at, at + 2), 16) / 255));
	const [hue, saturation, lightness] = colour.match(/[\d.]+/g).map(Number),
		l = lightness / 100,
		a = (saturation / 100) * Math.min(l, 1 - l);

	return [0, 8, 4].map((n) => {
		const k = (n + hue / 30) % 12;

		return linear(l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
	});
}

const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
function contrast(a, b) {
	const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);

	return (high + 0.05) / (low + 0.05);
}

/* CIE L*a*b*. */
function labOf([r, g, b]) {
	const f = (value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116),
		x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047),
		y = f(0.2126 * r + 0.7152 * g + 0.0722 * b),
		z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);

	return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/* What is seen without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1. */
const EYES = {
	all: [1, 0, 0, 0, 1, 0, 0, 0, 1],
	protan: [
		0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998,
	],
	deutan: [
		0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881,
	],
	tritan: [
		1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039,
	],
};
const seen = (rgb, m) =>
	[0, 3, 6].map((row) =>
		Math.min(
			1,
			Math.max(
				0,
				rgb.reduce((sum, value, at) => sum + m[row + at] * value, 0),
			),
		),
	);

/* --flame-text of a theme: the first one is that of light, the second one that of dark. */
const INKS = [...source("assets/theme.css").matchAll(/--flame-text: (#\w+)/g)].map(
	(found) => found[1],
);

for (const [at, theme] of ["light", "dark"].entries())
	test(`owners' colours can be told apart by everybody, and read, ${theme}`, () => {
		const base = OWNER_LOOKS.slice(0, OWNER_FOLDED + 1).map((_, owner) =>
			lightOf(ownerColour(owner, "", theme === "dark")),
		);

		for (const [eye, matrix] of Object.entries(EYES))
			for (const [a, one] of base.entries())
				for (const [b, other] of base.slice(0, a).entries()) {
					const distance = Math.hypot(
						...labOf(seen(one, matrix)).map(
							(value, axis) => value - labOf(seen(other, matrix))[axis],
						),
					);

					assert.ok(
						distance > 11,
						`${OWNER_LOOKS[a].label} and ${OWNER_LOOKS[b].label}, ${eye}: ${distance}`,
					);
				}
		for (const name of "abcdefghijklmnopqrstuvwxyz")
			for (const owner of OWNER_LOOKS.keys())
				assert.ok(
					contrast(
						lightOf(ownerColour(owner, name, theme === "dark")),
						lightOf(INKS[at]),
					) >= 4.5,
					OWNER_LOOKS[owner].label,
				);
	});

test("long texts lose their middle, short ones their end", () => {
	assert.equal(middleCut("handle_request_of_tenant", 12), "handle…tenant");
	assert.equal(middleCut("handle_request", 4), "hand…");
	assert.doesNotThrow(() => encodeURIComponent(middleCut("👩‍💻".repeat(9), 10)));
});

for (const colorScheme of ["light", "dark"])
	test(`in the reader's colours, ${colorScheme}, text and frames are in them`, async () => {
		const { page, complaints, close } = await open(make("timeline", script("blame")), {
			colorScheme,
			forcedColors: "active",
			reducedMotion: "reduce",
		});

		await page.waitForFunction(() => window.gilscope?.ready);
		const [text, ground] = await page.evaluate(() =>
			["CanvasText", "Canvas"].map((name) => {
				const probe = document.createElement("i");

				probe.style.color = name;
				document.body.append(probe);
				const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);

				return `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
			}),
		);
		const row = (await rowsOf(page)).find(({ kind, owner }) => kind === "flame" && owner === 0),
			inRow = (colour, at) =>
				inked(page, "picture", { colour, y: row.y + at * 15 + 2, height: 11 });

		assert.ok((await inRow(ground, 0)) > 0.05, "a fold is a frame on the ground");
		assert.ok((await inRow(text, 0)) > 0.002, "with its name");
		assert.ok((await inRow(text, 1)) > 0.05, "your own code is filled");
		assert.ok((await inked(page, "ruler-picture", { colour: text })) > 0, "times can be read");
		assert.ok((await inked(page, "picture", { colour: "#e69f00" })) > 0.01, "states stay");
		const [{ backgroundColor, color }] = await page.$$eval(".legend-owners .swatch", (found) =>
			found.map((swatch) => {
				const style = getComputedStyle(swatch);

				return { backgroundColor: style.backgroundColor, color: style.borderTopColor };
			}),
		);

		assert.equal(backgroundColor, color, "your code in the legend, too");
		assert.deepEqual(complaints, []);
		await close();
	});

test("the page follows when the reader chooses colours", async () => {
	const { page, close } = await open(make("timeline", script("blame")), {
		reducedMotion: "reduce",
	});

	await page.waitForFunction(() => window.gilscope?.ready);
	const own = await page.evaluate(() => ownerColour(PAGE_OWNER_APPLICATION, "tick", false));
	const hex = await page.evaluate((colour) => {
		const pen = document.createElement("canvas").getContext("2d");

		pen.fillStyle = colour;
		return pen.fillStyle;
	}, own);

	assert.ok((await inked(page, "picture", { colour: hex })) > 0.002);
	/* it is redrawn as soon as the browser says so */
	const comes = async (isDrawn) => {
		for (let tries = 0; isDrawn !== (await inked(page, "picture", { colour: hex })) > 0.002;) {
			assert.ok(++tries < 200, isDrawn ? "in its own colours" : "in the reader's");
			await page.waitForTimeout(50);
		}
	};

	await page.emulateMedia({ forcedColors: "active" });
	await comes(false);
	await page.emulateMedia({ forcedColors: "none" });
	await comes(true);
	await close();
});
