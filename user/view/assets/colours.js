// SPDX-License-Identifier: MIT
/*
 * Colours of states, threads and functions. Those of the states are user/words/palette.def's, as on
 * terminals and in pictures: Okabe and Ito's hues, which colour-blind readers can distinguish.
 * Where colour alone would carry meaning a pattern is added, and text names the state.
 */
"use strict";

/** @param {string} name */
function stateLook(name) {
	return STATE_LOOKS[name] || STATE_LOOKS.unknown;
}

/* What people read for a state. */
/** @param {string} name */
function stateLabel(name) {
	return stateLook(name).label;
}

/* The same of a thread: only a loop's is blocked by what it sleeps in. */
/** @param {string} name @param {{ loop: boolean }} thread */
function labelOf(name, thread) {
	return name === "blocked" && !thread.loop ? "asleep" : stateLabel(name);
}

/* Every browser that can read this page has it. */
/** @param {HTMLCanvasElement} canvas */
function penOf(canvas) {
	return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/* A tile of hatching over a state's colour, for canvas; `ratio` is device pixels per CSS pixel.
 * Null for states without a pattern. */
/** @param {CanvasRenderingContext2D} context @param {string} name @param {number} ratio */
function statePattern(context, name, ratio) {
	const look = stateLook(name),
		size = Math.round(6 * ratio),
		tile = document.createElement("canvas"),
		pen = penOf(tile);

	if (look.pattern === "none") return null;
	tile.width = tile.height = size;
	pen.fillStyle = look.colour;
	pen.fillRect(0, 0, size, size);
	pen.strokeStyle = look.dark ? "rgb(255 255 255 / 34%)" : "rgb(0 0 0 / 26%)";
	pen.lineWidth = Math.max(1, ratio);
	pen.beginPath();
	for (const shift of [-size, 0, size]) {
		if (look.pattern !== "falling") {
			pen.moveTo(shift - 1, size + 1);
			pen.lineTo(shift + size + 1, -1);
		}
		if (look.pattern !== "rising") {
			pen.moveTo(shift - 1, -1);
			pen.lineTo(shift + size + 1, size + 1);
		}
	}
	pen.stroke();
	return context.createPattern(tile, "repeat");
}

/* The same for elements: a value for the `background` property. */
/** @param {string} name */
function stateBackground(name) {
	const look = stateLook(name),
		ink = look.dark ? "rgb(255 255 255 / 34%)" : "rgb(0 0 0 / 26%)";
	/** @param {number} angle */
	const stripes = (angle) =>
		`repeating-linear-gradient(${angle}deg, ${ink} 0 1px, transparent 1px 4.24px)`;
	const layers =
		{ rising: [stripes(-45)], falling: [stripes(45)], crossed: [stripes(45), stripes(-45)] }[
			look.pattern
		] || [];

	return [...layers, look.colour].join(", ");
}

/*
 * Colours of threads, by their place in the recording: the same in every view of it. The hues
 * differ from those of the states; after these they repeat, and the names in boxes and tooltips
 * distinguish the threads.
 */
const THREAD_COLOURS = [
	"#4269d0",
	"#3ca951",
	"#a463f2",
	"#c2703d",
	"#1d9a9a",
	"#b04a8b",
	"#7d8b2f",
	"#6b86b3",
	"#9c6b4e",
	"#4f7a5b",
	"#8064a2",
	"#b55d60",
];

/** @param {number} number */
function threadColour(number) {
	return THREAD_COLOURS[number % THREAD_COLOURS.length];
}

/* Of a GIL's holder: a thread, or a negative number for an unknown one. */
/** @param {number} number */
function holderColour(number) {
	return number < 0 ? "#888888" : threadColour(number);
}

/** @param {string} text */
function textHash(text) {
	let hash = 2166136261;

	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
	return (hash ^ (hash >>> 15)) >>> 0;
}

/*
 * Colours of frames by whose they are: PAGE_OWNER_…, folded ones, unknown ones. For colour-blind
 * readers they differ in lightness as well as between blue and yellow
 * (tests/browser/owners.test.mjs). They are muted so as not to compete with the states. Each is
 * [hue, saturation, lightness].
 */
const OWNER_LOOKS = [
	{ label: "your code", light: [217, 80, 74], dark: [217, 55, 43] },
	{ label: "packages", light: [40, 65, 80], dark: [36, 45, 30] },
	{ label: "standard library", light: [120, 12, 88], dark: [160, 12, 24] },
	{ label: "folded frames", light: [210, 9, 76], dark: [210, 6, 36] },
	{ label: "unknown", light: [210, 12, 93], dark: [210, 10, 20] },
];
const OWNER_FOLDED = 3,
	OWNER_UNKNOWN = 4;
/* where the reader chose the colours: of the box, and of the text on it (theme.css) */
const OWNER_FORCED = [
	["--text", "--surface"],
	["--surface", "--text"],
	["--surface", "--text"],
	["--surface", "--text-faint"],
	["--surface", "--text-faint"],
];

/* The lightness varies a little by name, so that neighbours can be told apart. */
/** @param {number} owner @param {string} name @param {boolean} dark */
function ownerColour(owner, name, dark) {
	const [hue, saturation, lightness] = OWNER_LOOKS[owner][dark ? "dark" : "light"],
		shade = name ? (textHash(name) % 5) - 2 : 0;

	return `hsl(${hue} ${saturation}% ${lightness + shade}%)`;
}

/* Has the reader chosen all colours (Windows' high contrast)? A canvas must follow by itself. */
function forcedColours() {
	return matchMedia("(forced-colors: active)").matches && !matchMedia("print").matches;
}

/* What the colours of canvases depend on. */
const THEME_QUERIES = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"];

function darkTheme() {
	return (
		matchMedia("(prefers-color-scheme: dark)").matches &&
		!matchMedia("print").matches &&
		!document.documentElement.classList.contains("paper")
	);
}
