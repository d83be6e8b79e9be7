// SPDX-License-Identifier: MIT
/*
 * How figures are written: as in the text report, and always with access to the exact nanoseconds.
 */
"use strict";

const THIN_SPACE = "\u202f";
const NO_BREAK_SPACE = "\u00a0";

/* Ties are rounded to even, as C's printf does. */
/** @param {number} value @param {number} digits */
function fixed(value, digits) {
	const scaled = value * 10 ** digits;

	if (scaled % 1 !== 0.5 || !Number.isInteger(value * 8)) return value.toFixed(digits);
	const below = Math.floor(scaled);

	return ((below % 2 ? below + 1 : below) / 10 ** digits).toFixed(digits);
}

/* "4.96 ms", "315 ms", "2m03s": three significant digits. */
/** @param {number} ns @returns {string} */
function durationText(ns) {
	/** @type {[number, string][]} */
	const scales = [
		[1e9, "s"],
		[1e6, "ms"],
		[1e3, "µs"],
	];

	if (ns < 0) return "-" + durationText(-ns);
	if (ns >= 100e9) {
		const seconds = Math.floor(ns / 1e9);

		return Math.floor(seconds / 60) + "m" + String(seconds % 60).padStart(2, "0") + "s";
	}
	for (const [scale, unit] of scales) {
		const value = ns / scale;

		if (ns >= scale)
			return fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + NO_BREAK_SPACE + unit;
	}
	return Math.round(ns) + NO_BREAK_SPACE + "ns";
}

/* "34 320" */
/** @param {number} count */
function countText(count) {
	return String(count).replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
}

/* "5 616 993 123 ns" */
/** @param {number} ns */
function exactText(ns) {
	return countText(ns) + NO_BREAK_SPACE + "ns";
}

/* "1 stall", "6 stalls" */
/** @param {number} count @param {string} one @param {string} [many] */
function manyText(count, one, many) {
	return countText(count) + NO_BREAK_SPACE + (count === 1 ? one : many || one + "s");
}

/* "91 %", "8.9 %", "<0.1 %"; never "100 %" for less than all, as in the text report. */
/** @param {number} part @param {number} whole */
function percentText(part, whole) {
	const percent = whole > 0 ? (part / whole) * 100 : 0;

	if (part <= 0 || part === whole) return (part > 0 ? "100" : "0") + NO_BREAK_SPACE + "%";
	if (percent < 0.1) return "<0.1" + NO_BREAK_SPACE + "%";
	return (
		fixed(Math.min(percent, 99.9), percent < 9.95 || percent >= 99.5 ? 1 : 0) +
		NO_BREAK_SPACE +
		"%"
	);
}

/* Text of the target, made safe to read: invisible characters, and those that move or reverse the
 * text around them, become \xHH, byte by byte, as in the text report. */
/** @param {string} text */
function plainText(text) {
	return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
		[...new TextEncoder().encode(character)]
			.map((byte) => "\\x" + byte.toString(16).padStart(2, "0"))
			.join(""),
	);
}

/* "app.py" of "/srv/shop/app.py" */
/** @param {string} path */
function baseName(path) {
	return path.slice(path.lastIndexOf("/") + 1);
}

/* "app.py:12", "?" when the file is unknown. */
/** @param {string} file @param {number} line */
function placeText(file, line) {
	return (file ? baseName(file) : "?") + (line ? ":" + line : "");
}

/* So many characters of a text, with "…" in place of its middle: names differ at their ends as
 * often as at their begins. A few are those of the begin. */
/** @param {string} text @param {number} count */
function middleCut(text, count) {
	const characters = Array.from(text),
		end = count < 10 ? 0 : count >> 1;

	return [...characters.slice(0, count - end), "…", ...(end ? characters.slice(-end) : [])].join(
		"",
	);
}
