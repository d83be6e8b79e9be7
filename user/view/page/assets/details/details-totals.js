// SPDX-License-Identifier: MIT
/* What the details show with nothing chosen: the totals of the window. */
"use strict";

/* Their sums, which the lanes do not have. */
/** @param {Gil} gil @param {Span} range */
function endedGils({ figures }, range) {
	const count = figures.stands_for ?? 0;

	return range.whole
		? element(
				"section",
				{},
				element(
					"h4",
					{},
					`${count > 1 ? "GILs" : "GIL"} of ${manyText(count, "interpreter")} that ended`,
				),
				element(
					"p",
					{ class: "soft small" },
					`held ${durationText(figures.held_ns)} · ` +
						`contended ${durationText(figures.contended_ns)} in total`,
				),
			)
		: null;
}

class Totals extends DetailsPart {
	/** @param {Span} range */
	show(range) {
		const { recording } = this;

		if (!recording.lanesComplete)
			/* sums of half a recording would be wrong */
			return [element("p", { class: "note" }, "Reading the recording …")];
		return [
			this.head(
				range.whole ? "The whole recording" : this.name(),
				element("span", { class: "soft" }, " · "),
				durationElement(range.span, { "data-figure": "window" }),
				element(
					"span",
					{ class: "soft small" },
					` · ${exactRangeText(range.from, range.until)}`,
				),
			),
			this.tools(range),
			...recording.loops.map((loop) => this.loopTotals(loop, range)),
			...recording.gils.map((gil) =>
				gil.figures.stands_for ? endedGils(gil, range) : this.gilTotals(gil, range),
			),
			...this.threadTotals(range),
		];
	}

	name() {
		return "The visible range";
	}

	/** @param {Span} range @returns {Node | null} */
	tools(range) {
		return range.whole
			? element("p", { class: "soft small" }, "Drag in the lanes to select a range.")
			: null;
	}

	/** @param {Span} range */
	threadTotals(range) {
		const threads = this.recording
			.threadsInOrder()
			.map(
				(thread) =>
					/** @type {[Thread, Float64Array]} */ ([
						thread,
						this.recording.sums(thread.number, range.from, range.until),
					]),
			);
		const states = STATE_NAMES.filter((_, state) => threads.some(([, sums]) => sums[state])),
			shown = threads.filter(([, sums]) => sums.some(Boolean)).slice(0, 200);

		return [
			shown.length
				? element(
						"section",
						{},
						element("h4", {}, "Threads"),
						this.threadTable(shown, states),
					)
				: element("p", { class: "note" }, "No Python thread ran in this range."),
			shown.length < threads.length && threads.length > 200
				? element(
						"p",
						{ class: "soft small" },
						`${countText(threads.length - shown.length)} more`,
					)
				: null,
		];
	}

	/** @param {Gil} gil @param {Span} view */
	gilTotals(gil, view) {
		const holders = this.recording.holders(gil.number, view.from, view.until),
			held = holders.reduce((sum, [, ns]) => sum + ns, 0);
		const bar = element("div", {
			class: "state-bar",
			role: "img",
			"aria-label": "Who held the GIL",
		});

		for (const [thread, ns] of holders) {
			const part = element("span", {
				title:
					`${thread < 0 ? "other threads" : this.recording.threadText(thread)} ` +
					`${durationText(ns)}`,
			});

			part.style.background = holderColour(thread);
			part.style.flexGrow = String(ns / view.span);
			bar.append(part);
		}
		const rest = element("span", {
			class: "free",
			title: `nobody, or unknown ${durationText(view.span - held)}`,
		});

		rest.style.flexGrow = String(Math.max(0, 1 - held / view.span));
		bar.append(rest);
		const several =
			this.recording.gils.length > 1
				? ` of process ${this.recording.processes[gil.process].pid}`
				: "";

		return element(
			"section",
			{ class: "gil-totals", "data-gil": gil.number },
			element(
				"h4",
				{},
				`GIL${several}: held ${percentText(held, view.span)}, `,
				durationElement(held, { "data-figure": "held" }),
			),
			bar,
			element(
				"ul",
				{ class: "shares" },
				holders
					.slice(0, 8)
					.map(([thread, ns]) =>
						element(
							"li",
							{},
							thread < 0
								? "other threads"
								: this.shortButton(thread, "holder of the GIL"),
							durationElement(ns),
							element("span", { class: "soft" }, percentText(ns, view.span)),
						),
					),
			),
			view.whole
				? element(
						"p",
						{ class: "soft small" },
						`contended ${percentText(gil.figures.contended_ns, view.span)} ` +
							`of the time · ` +
							(this.recording.holdsTraced
								? `${manyText(gil.figures.handoffs, "handoff")}, ` +
									`${countText(gil.figures.forced)} of them forced`
								: manyText(gil.figures.forced, "forced release")) +
							(gil.figures.unknown_ns > view.span / 100
								? ` · unknown for ${percentText(gil.figures.unknown_ns, view.span)}`
								: ""),
					)
				: null,
		);
	}

	/* The stalls of a loop that are in a range, with a part at least. */
	/** @param {Loop} loop @param {Span} range */
	stallsIn(loop, { from, until }) {
		return this.recording.stalls.filter(
			(stall) => stall.loop === loop.number && stall.start_ns < until && stall.end_ns > from,
		);
	}

	/** @param {Loop} loop @param {Span} range @returns {Node} */
	loopTotals(loop, range) {
		const stalls = this.stallsIn(loop, range),
			worst = stalls.reduce(
				(most, stall) => Math.max(most, stall.end_ns - stall.start_ns),
				0,
			),
			{ turn, turns } = loop.figures;

		return element(
			"section",
			{ "data-loop": loop.number },
			element(
				"p",
				{},
				"Loop of ",
				this.shortButton(loop.thread, "its loop"),
				": ",
				stalls.length
					? [`${manyText(stalls.length, "stall")}, the longest `, durationElement(worst)]
					: "no stall",
				range.whole && turns
					? [
							` · ${manyText(turns, "iteration")}: p50 `,
							durationElement(turn.p50_ns),
							", p99 ",
							durationElement(turn.p99_ns),
						]
					: null,
			),
		);
	}

	/** @param {[Thread, Float64Array][]} threads @param {StateName[]} states */
	threadTable(threads, states) {
		return figureTable(
			"Time of the threads in the range, by state",
			[
				"thread",
				element("span", { class: "unseen" }, "shares of the states"),
				...states.map((state) =>
					element(
						"span",
						{ class: "state", title: stateLook(state).doing },
						stateSwatch(state),
						stateLook(state).column,
					),
				),
			],
			threads.map(([thread, sums]) => [
				this.shortButton(thread.number, "states"),
				threadBar(
					thread,
					[...sums].map((ns, state) => [STATE_NAMES[state], ns]),
					sums.reduce((sum, ns) => sum + ns, 0),
				),
				...states.map((state) => {
					const ns = sums[STATE_NAMES.indexOf(state)];

					return ns
						? durationElement(ns, { "data-thread": thread.number, "data-state": state })
						: element("span", { class: "nothing" }, "·");
				}),
			]),
			{ class: "figures totals" },
		);
	}
}
