// SPDX-License-Identifier: MIT
/* What the keys do, what the colours mean, and what is exact. */
"use strict";

const HELP_KEYS = [
	["w  s", "zoom in and out (also Ctrl + wheel, or a pinch)"],
	["a  d", "left and right (also Shift + wheel, Shift + drag)"],
	["f", "fit all (again: back)"],
	["n  p", "next and previous stall of the list"],
	["/", "search functions, files and threads"],
	["Enter", "next match"],
	["Esc", "clear selection"],
	["z", "zoom to the selection"],
	["m", "select the range of what is selected or visible"],
	["t", "moments since the begin, in local time, in UTC"],
	["u", "show all frames, or fold those of packages again"],
	["?", "this help"],
];

const HELP_NOTES = [
	"Hover for exact figures; click for details. The wheel scrolls the lanes; with Ctrl it zooms " +
		"at the pointer, as a pinch does; with Shift, or sideways, it pans.",
	"Drag in the lanes to select a range: its totals are in the details, its stacks in the flame " +
		"graph. Drag with Shift, with the middle button or on the ruler to pan.",
	"Zoomed out, a column of pixels is shared between the states in it by time, bottom " +
		"to top in the order of the legend.",
	"Above a thread's functions is its state. What it did off the CPU, and what it " +
		"waited in, is exact; on a CPU functions are samples of a clock.",
	"A dark line at the bottom of a state marks garbage collection. Threads that run no " +
		"event loop are drawn paler while asleep.",
	"The lane of a thread pool is as high as it has threads: how many are busy, in the colour of " +
		"a warning while all are. A checkered part is threads whose state is unknown.",
	"Two or more frames in a row of installed packages or of the standard library are folded " +
		"into a grey box with their packages and their number; a click opens it. The frame that " +
		"ran or slept, and the one that your code called, are always shown. A column shows the " +
		"longest stack in it.",
	"Drag in the overview to choose what is visible. The address of this page follows; it can be " +
		"bookmarked and shared.",
];

/** @param {HTMLDialogElement} dialog */
function buildHelp(dialog) {
	dialog.replaceChildren(
		element(
			"div",
			{ class: "help-head" },
			element("h2", { id: "help-title" }, "Reading this page"),
			element(
				"button",
				{
					class: "quiet-button",
					type: "button",
					"aria-label": "Close",
					onclick: () => dialog.close(),
				},
				"✕",
			),
		),
		element(
			"dl",
			{ class: "keys" },
			HELP_KEYS.flatMap(([keys, words]) => [
				element(
					"dt",
					{},
					keys.split("  ").map((key) => element("kbd", {}, key)),
				),
				element("dd", {}, words),
			]),
		),
		element(
			"dl",
			{ class: "state-list" },
			STATE_NAMES.flatMap((name) => [
				element("dt", {}, stateElement(name)),
				element("dd", {}, stateLook(name).doing),
			]),
		),
		element(
			"ul",
			{},
			HELP_NOTES.map((note) => element("li", {}, note)),
		),
	);
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

/** @param {HTMLElement} root */
function buildLegend(root) {
	root.replaceChildren(
		...STATE_NAMES.map(stateElement),
		element(
			"span",
			{ class: "legend-owners" },
			OWNER_LOOKS.slice(0, OWNER_UNKNOWN).map(({ label }, owner) =>
				element("span", { class: "state" }, ownerSwatch(owner), label),
			),
		),
	);
}
