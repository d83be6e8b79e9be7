// SPDX-License-Identifier: MIT
/* Elements. Everything the page shows is made here, and texts are only ever set as text: no name of
 * the target can be markup. */
"use strict";

/**
 * element("p", {class: "note", title: "…", onclick: f}, "text", otherElement, …); children that are
 * null or "" are skipped.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Properties} properties
 * @param {Child[]} children
 */
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
						: String(value),
			);
	for (const child of /** @type {Child[]} */ (children.flat()))
		if (child instanceof Node) made.append(child);
		else if (child !== null && child !== undefined && child !== "")
			made.append(typeof child === "string" ? plainText(child) : String(child));
	return made;
}

/* A length of time: three digits to read; all of them in the tooltip and in data-ns. */
/** @param {number} ns @param {Properties} [properties] */
function durationElement(ns, properties = {}) {
	return element(
		"span",
		{ class: "figure", "data-ns": ns, title: exactText(ns), ...properties },
		durationText(ns),
	);
}

/* A square in a state's colour and pattern. */
/** @param {string} state */
function stateSwatch(state) {
	const swatch = element("span", { class: "swatch", "aria-hidden": "true" });

	swatch.style.background = stateBackground(state);
	return swatch;
}

/** @param {number} thread */
function threadSwatch(thread) {
	const swatch = element("span", { class: "swatch", "aria-hidden": "true" });

	swatch.style.background = threadColour(thread);
	return swatch;
}

/** @param {string} state */
function stateElement(state) {
	return element(
		"span",
		{ class: "state", title: stateLook(state).doing },
		stateSwatch(state),
		stateLabel(state),
	);
}

/* A bar of shares: entries of [state, ns]. Its label describes it in words. */
/** @param {StateShare[]} entries @param {number} whole @param {Properties} [properties] */
function stateBar(entries, whole, properties = {}) {
	const shown = entries.filter(([, ns]) => ns > 0),
		words = shown.map(([state, ns]) => `${stateLabel(state)} ${durationText(ns)}`).join(", ");
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
		part.style.flexGrow = String(ns / whole);
		bar.append(part);
	}
	return bar;
}

/* The same of a thread, as its lane has it: only a loop's is blocked by what it sleeps in. */
/** @param {Thread} thread @param {StateShare[]} entries @param {number} whole */
function threadBar(thread, entries, whole) {
	const words = entries
		.filter(([, ns]) => ns > 0)
		.map(([state, ns]) => `${labelOf(state, thread)} ${durationText(ns)}`)
		.join(", ");

	return stateBar(entries, whole, {
		class: thread.loop ? "state-bar" : "state-bar asleep",
		"aria-label": words,
		title: words,
	});
}

/* Nanoseconds by state as entries [state, ns], without zeros, largest first. */
/** @param {Partial<StateSums>} states */
function stateEntries(states) {
	return Object.entries(states)
		.filter(([, ns]) => ns > 0)
		.sort((a, b) => b[1] - a[1]);
}

/* The same of sums by state number. */
/** @param {Float64Array} sums */
function sumEntries(sums) {
	return stateEntries(Object.fromEntries([...sums].map((ns, state) => [STATE_NAMES[state], ns])));
}

/* A state's time in a list, and what else is said of it. */
/** @param {string} state @param {number} ns @param {string} figure @param {Child[]} more */
function shareElement(state, ns, figure, ...more) {
	return element(
		"li",
		{},
		stateElement(state),
		durationElement(ns, { "data-figure": `${figure}.${state}` }),
		...more,
	);
}

/* How time divides among states: a heading, a bar, and a list of entries [state, ns]. */
/** @param {string} title @param {StateShare[]} entries @param {number} whole */
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
				shareElement(
					state,
					ns,
					"states",
					element("span", { class: "soft" }, percentText(ns, whole)),
				),
			),
		),
	);
}

/* A table of figures: head cells, then rows of cells; cells are elements or texts. */
/**
 * @param {string} caption
 * @param {Child[]} heads
 * @param {Child[][]} rows
 * @param {Properties} [properties]
 */
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
/** @param {ReportFrame} frame @param {Properties} [properties] */
function placedFrame(frame, properties = {}) {
	const place = placeText(frame.file, frame.line),
		whole = (frame.file || "?") + (frame.line ? ":" + frame.line : "");

	return element(
		"span",
		{
			class: "frame",
			title: [frame.function, whole, frame.source].filter(Boolean).join("\n"),
			...properties,
		},
		element("code", { class: "frame-name" }, frame.function),
		" ",
		element("code", { class: "frame-place" }, place),
	);
}

/* A stack, innermost frame first; all but a few frames are folded away. */
/** @param {ReportFrame[]} stack @param {{ function: string, file: string } | null} handler */
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
			frame.source ? element("code", { class: "source" }, frame.source) : null,
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
