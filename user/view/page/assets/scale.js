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

/* Ticks for a ruler: whole multiples of 1, 2 or 5 times a power of ten, at least `room` pixels
 * apart. */
/** @param {View} view @param {number} room */
function ticks(view, room) {
	const least = Math.max(1, (view.span / view.width) * room),
		power = 10 ** Math.floor(Math.log10(least));
	const factor = [1, 2, 5].find((candidate) => candidate * power >= least * 0.999) ?? 10,
		step = factor * power,
		times = [];

	for (let number = Math.ceil(view.from / step); number * step <= view.until; number++)
		times.push(number * step);
	return { step, times };
}

/* A tick's label, with as many digits as the step needs. */
/** @param {number} time @param {number} step */
function tickText(time, step) {
	const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9)));

	return pointText(time, digits).slice(1);
}
