// SPDX-License-Identifier: MIT
/* What the lists share: heads of columns, which sort them, and names of buttons. */
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

/* Gives the focus to what replaced the element that had it. */
/** @param {HTMLElement} root @param {string} selector */
function focusIn(root, selector) {
	/** @type {HTMLElement | null} */ (root.querySelector(selector))?.focus();
}
