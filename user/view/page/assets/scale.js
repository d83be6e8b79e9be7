// SPDX-License-Identifier: MIT
/* The chosen window, and how time maps to pixels. Its ends are whole nanoseconds, so that sums over
 * it are exact. */
"use strict";

const LEAST_WINDOW_NS = 100;

/* A stretch of a recording that ends at `end`. */
class Span {
	/** @param {number} from @param {number} until @param {number} end */
	constructor(from, until, end) {
		this.from = from;
		this.until = until;
		this.end = end; /* it begins at 0 */
	}

	get span() {
		return this.until - this.from;
	}

	get whole() {
		return this.from === 0 && this.until === this.end;
	}
}

class View extends Span {
	/** @param {number} end */
	constructor(end) {
		const length = Math.max(end, LEAST_WINDOW_NS);

		super(0, length, length);
		this.width = 1; /* in CSS pixels */
	}

	/* The nearest window inside the recording. */
	/** @param {number} from @param {number} until */
	set(from, until) {
		const span = Math.min(this.end, Math.max(LEAST_WINDOW_NS, Math.round(until - from)));

		this.from = Math.min(Math.max(0, Math.round(from)), this.end - span);
		this.until = this.from + span;
	}

	/** @param {number} time */
	x(time) {
		return ((time - this.from) / this.span) * this.width;
	}

	/** @param {number} x */
	timeAt(x) {
		return this.from + (x / this.width) * this.span;
	}

	/* The window `factor` times as long that keeps the time at x in place. */
	/** @param {number} x @param {number} factor @returns {[number, number]} */
	zoomed(x, factor) {
		const at = this.timeAt(x),
			span = Math.min(this.end, Math.max(LEAST_WINDOW_NS, this.span * factor)),
			from = at - (x / this.width) * span;

		return [from, from + span];
	}
}

/* Of a ruler that shows times of day, in seconds. */
const CLOCK_STEPS = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400];

/* Ticks for a ruler: whole multiples of 1, 2 or 5 times a power of ten, or of what clocks have, at
 * least `room` pixels apart. */
/** @param {View} view @param {number} room */
function ticks(view, room) {
	const least = Math.max(1, (view.span / view.width) * room),
		step = (clock.name !== "relative" && clockStep(least)) || decimalStep(least),
		phase = tickPhase(),
		times = [];

	for (let number = Math.ceil((view.from + phase) / step); ; number++) {
		const time = number * step - phase;

		if (time > view.until) return { step, times };
		times.push(time);
	}
}

/** @param {number} least */
function decimalStep(least) {
	const power = 10 ** Math.floor(Math.log10(least)),
		factor = [1, 2, 5].find((candidate) => candidate * power >= least * 0.999) ?? 10;

	return factor * power;
}

/* 0: decimal ones will do. */
/** @param {number} least */
function clockStep(least) {
	return least > 5e9 ? (CLOCK_STEPS.find((seconds) => seconds * 1e9 >= least) ?? 0) * 1e9 : 0;
}
