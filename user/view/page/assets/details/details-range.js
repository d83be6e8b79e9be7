// SPDX-License-Identifier: MIT
/* The details of a selected range: its totals, and of every loop its states and stalls. */
"use strict";

const RANGE_STALLS_MOST = 50;

class RangeTotals extends Totals {
	name() {
		return "The selected range";
	}

	tools() {
		return element(
			"button",
			{
				type: "button",
				class: "quiet-button",
				"data-role": "zoom-range",
				title: "Zoom to the selected range (z)",
				onclick: () => this.actions.zoom(),
			},
			"Zoom to the range",
		);
	}

	/** @param {Loop} loop @param {Span} range @returns {Node} */
	loopTotals(loop, range) {
		const sums = this.recording.sums(loop.thread, range.from, range.until),
			entries = sumEntries(sums),
			stalls = this.stallsIn(loop, range).sort(STALL_ORDERS.length.compare);

		return element(
			"section",
			{ "data-loop": loop.number },
			element("h4", {}, "Loop of ", this.shortButton(loop.thread, "its loop")),
			stateBar(entries, range.span),
			element(
				"ul",
				{ class: "shares" },
				entries.map(([state, ns]) =>
					shareElement(
						state,
						ns,
						"loop",
						element("span", { class: "soft" }, percentText(ns, range.span)),
					),
				),
			),
			this.stalls(stalls, range),
		);
	}

	/** @param {Stall[]} stalls @param {Span} range */
	stalls(stalls, range) {
		/** @param {Stall} stall */
		const inside = ({ start_ns, end_ns }) =>
			Math.min(range.until, end_ns) - Math.max(range.from, start_ns);

		if (!stalls.length) return element("p", { class: "soft" }, "No stall in this range.");
		return [
			element(
				"p",
				{},
				`${manyText(stalls.length, "stall")}, `,
				durationElement(
					stalls.reduce((sum, stall) => sum + inside(stall), 0),
					{ "data-figure": "stalled" },
				),
				" in this range",
			),
			figureTable(
				"Stalls in the range, longest first",
				["stall", "in the range", "cause", "at"],
				stalls
					.slice(0, RANGE_STALLS_MOST)
					.map((stall) => [
						this.stallButton(stall),
						durationElement(inside(stall), { "data-figure": "inside" }),
						stateElement(stall.cause),
						timeText(stall.start_ns),
					]),
			),
			stalls.length > RANGE_STALLS_MOST
				? element(
						"p",
						{ class: "soft small" },
						manyText(stalls.length - RANGE_STALLS_MOST, "shorter one"),
					)
				: null,
		];
	}
}
