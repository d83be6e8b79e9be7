// SPDX-License-Identifier: MIT
/* The details of a function: what it cost the event loop, and its stalls. */
"use strict";

const FUNCTION_STALLS_MOST = 50;

class FunctionDetails extends DetailsPart {
	/** @param {number} id */
	show(id) {
		const blame = this.recording.blame[id],
			{ handler } = blame,
			/** @type {[words: string, ns: number, figure: string][]} */
			times = [
				["stalls, total", blame.stall_ns, "stall"],
				["longest stall", blame.worst_ns, "worst"],
				["held the GIL while the loop waited", blame.made_loops_wait_ns, "loops_waited"],
				["kept other threads waiting for the GIL", blame.made_wait_ns, "waited"],
				["of it garbage collection", blame.gc_ns, "gc"],
			];

		return [
			this.head(element("code", {}, handler.function)),
			element(
				"p",
				{ class: "place" },
				element("span", { class: "badge" }, roleText(handler.role)),
				" ",
				element("code", {}, `${handler.file || "?"}:${handler.line}`),
			),
			this.sums("On the event loop", blame.loop_states),
			this.sums("Elsewhere", blame.elsewhere_states),
			element(
				"dl",
				{ class: "facts" },
				times
					.filter(([, ns]) => ns)
					.flatMap(([words, ns, figure]) => [
						element("dt", {}, words),
						element("dd", {}, durationElement(ns, { "data-figure": figure })),
					]),
			),
			this.stalls(id),
		];
	}

	/** @param {string} title @param {StateSums} states */
	sums(title, states) {
		const entries = stateEntries(states);

		return entries.length
			? stateSection(
					title,
					entries,
					entries.reduce((sum, [, ns]) => sum + ns, 0),
				)
			: null;
	}

	/** @param {number} id */
	stalls(id) {
		const stalls = this.recording.stalls
			.filter((stall) => stall.blame === id)
			.sort(STALL_ORDERS.length.compare);

		if (!stalls.length) return null;
		return element(
			"section",
			{},
			element("h4", {}, "Its stalls, longest first"),
			figureTable(
				"Stalls of the function",
				["length", "cause", "at"],
				stalls
					.slice(0, FUNCTION_STALLS_MOST)
					.map((stall) => [
						this.stallButton(stall),
						stateElement(stall.cause),
						timeText(stall.start_ns),
					]),
			),
			stalls.length > FUNCTION_STALLS_MOST
				? element(
						"p",
						{ class: "soft small" },
						manyText(stalls.length - FUNCTION_STALLS_MOST, "shorter one") +
							": see the list",
					)
				: null,
		);
	}
}
