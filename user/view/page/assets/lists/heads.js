// SPDX-License-Identifier: MIT
/* What the lists share: heads of columns, which sort them, names of buttons, and their ends. */
"use strict";

/**
 * @param {string} words
 * @param {string} title
 * @param {"ascending" | "descending" | null} sorted
 * @param {() => void} onclick
 * @param {string} order
 */
function sortHead(words, title, sorted, onclick, order) {
	const arrow = sorted ? (sorted === "descending" ? " ▾" : " ▴") : "";

	return element(
		"th",
		{ scope: "col", "aria-sort": sorted },
		element(
			"button",
			{ type: "button", class: "sort", "data-order": order, title, onclick },
			words,
			element("span", { "aria-hidden": "true" }, arrow),
		),
	);
}

/* Where a function is in full, for those who hear a button's name: another's may be the same. */
/** @param {ReportHandler} handler */
function unseenPlace({ file, line }) {
	return element("span", { class: "unseen" }, `, ${file || "?"}:${line}`);
}

/* What is behind a long list: `more` is called whenever its end comes near, in whatever scrolls,
 * which on a narrow screen is the whole page. */
/** @param {() => void} more */
function listEnd(more) {
	const end = element("div", { class: "list-end" });

	new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && more(), {
		rootMargin: "200px",
	}).observe(end);
	return end;
}

/* Gives the focus to what replaced the element that had it. */
/** @param {HTMLElement} root @param {string} selector */
function focusIn(root, selector) {
	/** @type {HTMLElement | null} */ (root.querySelector(selector))?.focus();
}
