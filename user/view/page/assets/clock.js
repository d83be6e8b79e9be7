// SPDX-License-Identifier: MIT
/*
 * How moments are written: since the begin of the recording, or as the time of day, here or in UTC,
 * as logs have it. All that is shown of a moment comes from here, so that one choice changes it
 * everywhere. Times of day are cut off, never rounded, as in logs and in the text report.
 */
"use strict";

/** @type {[value: ClockName, words: string][]} */
const CLOCK_NAMES = [
	["relative", "Since begin"],
	["local", "Local"],
	["utc", "UTC"],
];

const clock = {
	name: /** @type {ClockName} */ ("relative"),
	seconds: 0, // of the recording's begin, since 1970
	ns: 0, // the rest
	isKnown: false,
};

/* `realtime`: nanoseconds since 1970, more than a number holds exactly; null: unknown. */
/** @param {string | null} realtime */
function setClock(realtime) {
	const all = BigInt(realtime || 0);

	clock.isKnown = all > 0n;
	clock.seconds = Number(all / 1000000000n);
	clock.ns = Number(all % 1000000000n);
}

/* A moment's second as a date, and the nanoseconds behind it. */
/** @param {number} ns */
function dateOf(ns) {
	const all = clock.ns + Math.floor(ns),
		seconds = Math.floor(all / 1e9);

	return { date: new Date((clock.seconds + seconds) * 1000), rest: all - seconds * 1e9 };
}

/* "UTC+05:45", and "UTC" itself. */
/** @param {Date} date */
function zoneText(date) {
	const minutes = -date.getTimezoneOffset(),
		all = Math.abs(minutes);

	if (clock.name === "utc") return "UTC";
	return `UTC${minutes < 0 ? "−" : "+"}${twoDigits(all / 60)}:${twoDigits(all % 60)}`;
}

/** @param {number} number */
function twoDigits(number) {
	return String(Math.floor(number)).padStart(2, "0");
}

/** @param {Date} date @returns {[day: number[], time: number[]]} */
function dateParts(date) {
	return clock.name === "utc"
		? [
				[date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()],
				[date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()],
			]
		: [
				[date.getFullYear(), date.getMonth() + 1, date.getDate()],
				[date.getHours(), date.getMinutes(), date.getSeconds()],
			];
}

/* "09:06:03.131" */
/** @param {number} ns @param {number} digits */
function dayTimeText(ns, digits) {
	const { date, rest } = dateOf(ns),
		time = dateParts(date)[1].map(twoDigits).join(":");

	return time + (digits ? "." + inGroups(String(rest).padStart(9, "0").slice(0, digits)) : "");
}

/* "2026-11-23 09:06:03 UTC+01:00": when the recording began; "" when that is unknown. */
function beginText() {
	const { date } = dateOf(0),
		[day, time] = dateParts(date);

	return clock.isKnown
		? `${day.map(twoDigits).join("-")} ${time.map(twoDigits).join(":")} ${zoneText(date)}`
		: "";
}

/** @param {string} digits */
function inGroups(digits) {
	return digits.replace(/(\d{3})(?=\d)/g, "$1" + THIN_SPACE);
}

/* "+1.234 s" */
/** @param {number} ns @param {number} digits */
function pointText(ns, digits) {
	const whole = Math.round(ns),
		unit = 10 ** (9 - digits),
		cut = Math.round(whole / unit) * unit;
	const seconds = Math.floor(cut / 1e9),
		rest = String(cut - seconds * 1e9)
			.padStart(9, "0")
			.slice(0, digits);

	return "+" + seconds + (digits ? "." + inGroups(rest) : "") + NO_BREAK_SPACE + "s";
}

/* A moment with enough digits for neighbours `step` ns apart to differ: "+1.23 s", "+1.234 567 s",
 * "09:06:03.131". */
/** @param {number} ns @param {number} [step] */
function timeText(ns, step) {
	let digits = 3;

	while (digits < 9 && 10 ** (9 - digits) > (step || 1e6)) digits++;
	return clock.name === "relative" ? pointText(ns, digits) : dayTimeText(ns, digits);
}

/* All digits: "+5.616 993 123 s", "09:06:03.131 993 123 UTC+01:00". */
/** @param {number} ns */
function exactTimeText(ns) {
	return clock.name === "relative"
		? pointText(ns, 9)
		: `${dayTimeText(ns, 9)} ${zoneText(dateOf(ns).date)}`;
}

/* "12:58:00.190 933 075 to 12:58:06.190 933 075 UTC+01:00" */
/** @param {number} from @param {number} until */
function exactRangeText(from, until) {
	const zone = clock.name === "relative" ? "" : ` ${zoneText(dateOf(until).date)}`,
		begin = exactTimeText(from);

	/* one zone will do, unless it changes in between */
	return (
		(begin.endsWith(zone) ? begin.slice(0, begin.length - zone.length) : begin) +
		` to ${exactTimeText(until)}`
	);
}

/* On the ruler, with as many digits as a step needs. */
/** @param {number} time @param {number} step */
function tickText(time, step) {
	const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9)));

	return clock.name === "relative" ? pointText(time, digits).slice(1) : dayTimeText(time, digits);
}

/* How many pixels a label of the ruler needs at least, with some room behind it. */
/** @param {View} view */
function tickRoom(view) {
	if (clock.name === "relative") return 110;
	return (view.span / view.width) * 90 < 1e6 ? 145 : 90;
}

/* How long before the begin the ruler's steps are counted from: midnight, for a time of day. */
function tickPhase() {
	if (clock.name === "relative") return 0;
	const [hours, minutes, seconds] = dateParts(dateOf(0).date)[1];

	return (hours * 3600 + minutes * 60 + seconds) * 1e9 + clock.ns;
}

/* The choice, at the top of the page. Without a time of day there is none. */
class ClockChoice {
	/** @param {HTMLSelectElement} select @param {(name: ClockName) => void} onchoice */
	constructor(select, onchoice) {
		this.select = select;
		select.hidden = !clock.isKnown;
		select.addEventListener("change", () => onchoice(/** @type {ClockName} */ (select.value)));
		select.append(
			...CLOCK_NAMES.map(([value, words]) =>
				element(
					"option",
					{ value },
					value === "local" ? `${words} (${zoneText(dateOf(0).date)})` : words,
				),
			),
		);
	}

	/* The clock of that name, or the one of no name. */
	/** @param {string | undefined} name */
	show(name) {
		const [found] = CLOCK_NAMES.find(([value]) => clock.isKnown && value === name) ?? [
			"relative",
		];

		clock.name = /** @type {ClockName} */ (found);
		this.select.value = found;
		byId("began").textContent = beginText();
	}

	next() {
		const at = CLOCK_NAMES.findIndex(([value]) => value === clock.name);

		return CLOCK_NAMES[(at + 1) % CLOCK_NAMES.length][0];
	}
}
