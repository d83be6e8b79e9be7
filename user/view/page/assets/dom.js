// SPDX-License-Identifier: MIT
/* Elements. Everything the page shows is made here, and texts are only ever set as text: no name of
 * the target can be markup. */
"use strict";

/* element("p", {class: "note", title: "…", onclick: f}, "text", otherElement, …); children that are
 * null or "" are skipped. */
function element(tag, properties = {}, ...children) {
	const made = document.createElement(tag);

	for (const [name, value] of Object.entries(properties))
		if (typeof value === "function") made.addEventListener(name.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			made.setAttribute(
				name,
				value === true
					? ""
					: typeof value === "string"
						? value.split("\n").map(plainText).join("\n")
						: value,
			);
	made.append(
		...children
			.flat()
			.filter((child) => child !== null && child !== undefined && child !== "")
			.map((child) => (typeof child === "string" ? plainText(child) : child)),
	);
	return made;
}

function byId(id) {
	return document.getElementById(id);
}

/* A length of time: three digits to read; all of them in the tooltip and in data-ns. */
function durationElement(ns, properties = {}) {
	return element(
		"span",
		{ class: "figure", "data-ns": ns, title: exactText(ns), ...properties },
		durationText(ns),
	);
}

/* A square in a state's colour and pattern. */
function stateSwatch(state) {
	const swatch = element("span", { class: "swatch", "aria-hidden": "true" });

	swatch.style.background = stateBackground(state);
	return swatch;
}

function threadSwatch(thread) {
	const swatch = element("span", { class: "swatch", "aria-hidden": "true" });

	swatch.style.background = threadColour(thread);
	return swatch;
}

function stateElement(state) {
	return element(
		"span",
		{ class: "state", title: stateLook(state).doing },
		stateSwatch(state),
		state,
	);
}

/* A bar of shares: entries of [state, ns]. Its label describes it in words. */
function stateBar(entries, whole, properties = {}) {
	const shown = entries.filter(([, ns]) => ns > 0),
		words = shown.map(([state, ns]) => `${state} ${durationText(ns)}`).join(", ");
	const bar = element("div", {
		class: "state-bar",
		role: "img",
		"aria-label": words,
		title: words,
		...properties,
	});

	for (const [state, ns] of shown) {
		const part = element("span", { "data-state": state, "data-ns": ns });

		part.style.background = stateBackground(state);
		part.style.flexGrow = ns / whole;
		bar.append(part);
	}
	return bar;
}

/* Nanoseconds by state as entries [state, ns], without zeros, largest first. */
function stateEntries(states) {
	return Object.entries(states)
		.filter(([, ns]) => ns > 0)
		.sort((a, b) => b[1] - a[1]);
}

/* How time divides among states: a heading, a bar, and a list of entries [state, ns]. */
function stateSection(title, entries, whole) {
	return element(
		"section",
		{},
		element("h4", {}, title),
		stateBar(entries, whole),
		element(
			"ul",
			{ class: "shares" },
			entries.map(([state, ns]) =>
				element(
					"li",
					{},
					stateElement(state),
					durationElement(ns, { "data-figure": `states.${state}` }),
					element("span", { class: "soft" }, percentText(ns, whole)),
				),
			),
		),
	);
}

/* A table of figures: head cells, then rows of cells; cells are elements or texts. */
function figureTable(caption, heads, rows, properties = {}) {
	return element(
		"table",
		{ class: "figures", ...properties },
		element("caption", { class: "unseen" }, caption),
		element(
			"thead",
			{},
			element(
				"tr",
				{},
				heads.map((head) => element("th", { scope: "col" }, head)),
			),
		),
		element(
			"tbody",
			{},
			rows.map((row) =>
				element(
					"tr",
					{},
					row.map((cell, column) =>
						column ? element("td", {}, cell) : element("th", { scope: "row" }, cell),
					),
				),
			),
		),
	);
}

/* A frame: its function and place. */
function placedFrame(frame, properties = {}) {
	const place = placeText(frame.file, frame.line),
		whole = (frame.file || "?") + (frame.line ? ":" + frame.line : "");

	return element(
		"span",
		{ class: "frame", title: `${frame.function}\n${whole}`, ...properties },
		element("code", { class: "frame-name" }, frame.function),
		" ",
		element("code", { class: "frame-place" }, place),
	);
}

/* A stack, innermost frame first; all but a few frames are folded away. */
function stackElement(stack, handler, shown = 6) {
	const items = stack.map((frame) =>
		element(
			"li",
			{
				class:
					handler && frame.function === handler.function && frame.file === handler.file
						? "handler"
						: null,
			},
			placedFrame(frame),
		),
	);
	const list = element("ol", { class: "stack" }, items.slice(0, shown));

	if (items.length <= shown) return list;
	return element(
		"div",
		{},
		list,
		element(
			"details",
			{ class: "more" },
			element("summary", {}, manyText(items.length - shown, "frame") + " further out"),
			element("ol", { class: "stack" }, items.slice(shown)),
		),
	);
}
