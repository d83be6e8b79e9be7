// SPDX-License-Identifier: MIT
/* The list of stalls: a table with a button in every row, so that keyboards and screen readers
 * reach all of them. Rows of long lists are added on scrolling. */
"use strict";

const STALLS_AT_ONCE = 200,
	/* the latter only to reveal a stall selected elsewhere */
	STALL_ROWS_MOST = 4000;

/** @type {Record<StallOrder, { name: string, compare: (a: Stall, b: Stall) => number }>} */
const STALL_ORDERS = {
	length: {
		name: "longest first",
		compare: (/** @type {Stall} */ a, /** @type {Stall} */ b) =>
			b.end_ns - b.start_ns - (a.end_ns - a.start_ns) || a.start_ns - b.start_ns,
	},
	time: {
		name: "by time",
		compare: (/** @type {Stall} */ a, /** @type {Stall} */ b) =>
			a.start_ns - b.start_ns || a.id - b.id,
	},
	cause: {
		name: "by cause",
		compare: (/** @type {Stall} */ a, /** @type {Stall} */ b) =>
			STATE_NAMES.indexOf(a.cause) - STATE_NAMES.indexOf(b.cause) ||
			b.end_ns - b.start_ns - (a.end_ns - a.start_ns),
	},
};

class StallList {
	/**
	 * @param {Recording} recording
	 * @param {HTMLElement} root
	 * @param {HTMLElement} title
	 * @param {Actions} actions
	 */
	constructor(recording, root, title, actions) {
		this.recording = recording;
		this.root = root;
		this.actions = actions;
		this.order = /** @type {StallOrder} */ ("length");
		this.sorted = /** @type {Stall[]} */ ([]);
		this.shown = 0;
		this.rows = /** @type {Map<number, HTMLElement>} */ (new Map());
		this.body = element("tbody");
		this.marked = /** @type {number | null} */ (null);
		this.several = recording.loops.length > 1;
		title.textContent = recording.stalls.length
			? manyText(recording.stalls.length, "stall")
			: "Stalls";
		this.build();
	}

	build() {
		const { recording } = this;

		if (!recording.stalls.length) {
			this.root.replaceChildren(this.nothing());
			return;
		}
		this.sorted = [...recording.stalls].sort(STALL_ORDERS[this.order].compare);
		this.shown = 0;
		this.rows = new Map();
		this.body = element("tbody");
		this.root.replaceChildren(
			element(
				"table",
				{ class: "stalls" },
				element(
					"caption",
					{ class: "unseen" },
					`Stalls of the event loop, ${STALL_ORDERS[this.order].name}`,
				),
				element(
					"thead",
					{},
					element(
						"tr",
						{},
						this.headCell("length", "Length"),
						this.headCell("cause", "Cause"),
						element("th", { scope: "col" }, "What ran"),
						this.headCell("time", "At"),
					),
				),
				this.body,
			),
		);
		this.more();
		this.root.onscroll = () =>
			this.root.scrollTop + this.root.clientHeight > this.root.scrollHeight - 200 &&
			this.more();
		this.mark(this.marked);
	}

	nothing() {
		const { recording } = this,
			turns = recording.loops.reduce((sum, loop) => sum + loop.figures.turns, 0),
			threshold = durationText(recording.report.stall_ns);

		if (!recording.loops.length)
			return element(
				"p",
				{ class: "note" },
				"There are no stalls in this recording. The lanes show who held the GIL and " +
					"what the threads did.",
			);
		return element(
			"p",
			{ class: "note" },
			`No turn of the event loop took ${threshold} or longer; there were ` +
				`${manyText(turns, "turn")}.`,
		);
	}

	/** @param {StallOrder} order @param {string} words */
	headCell(order, words) {
		const sorted = this.order === order;

		return element(
			"th",
			{
				scope: "col",
				"aria-sort": sorted ? (order === "length" ? "descending" : "ascending") : null,
			},
			element(
				"button",
				{
					type: "button",
					class: "sort",
					"data-order": order,
					title: `Sort ${STALL_ORDERS[order].name}`,
					onclick: () => {
						this.order = order;
						this.build();
						/** @type {HTMLElement | null} */ (
							this.root.querySelector(`[data-order="${order}"]`)
						)?.focus();
					},
				},
				words,
				element(
					"span",
					{ "aria-hidden": "true" },
					sorted ? (order === "length" ? " ▾" : " ▴") : "",
				),
			),
		);
	}

	more() {
		for (const stall of this.sorted.slice(this.shown, this.shown + STALLS_AT_ONCE)) {
			const row = this.row(stall);

			this.rows.set(stall.id, row);
			this.body.append(row);
		}
		this.shown = Math.min(this.sorted.length, this.shown + STALLS_AT_ONCE);
	}

	/** @param {Stall} stall */
	row(stall) {
		const length = stall.end_ns - stall.start_ns,
			what = stall.handler || stall.stack[0],
			choose = () => this.actions.chooseStall(stall.id);
		const blocker = stall.cause === "gil_wait" ? stall.blockers[0] : null,
			culprit = blocker?.handler || what;

		return element(
			"tr",
			{ "data-stall": stall.id, onclick: choose },
			element(
				"td",
				{},
				element(
					"button",
					{
						type: "button",
						class: "stall-button",
						"data-ns": length,
						title: exactText(length),
						"aria-label":
							`Stall of ${durationText(length)}, ` +
							`${stall.cause}${culprit ? `, ${culprit.function}` : ""}, at ` +
							`${timeText(stall.start_ns)}`,
					},
					durationText(length),
					stall.ongoing ? "+" : "",
				),
			),
			element("td", {}, stateElement(stall.cause)),
			element(
				"td",
				{ class: "what" },
				culprit
					? placedFrame(culprit)
					: element(
							"span",
							{ class: "soft" },
							blocker ? blocker.python_name || blocker.thread : "unknown",
						),
				blocker ? element("span", { class: "soft" }, " held it") : null,
				this.several
					? element(
							"span",
							{ class: "soft" },
							` · ${this.recording.threads[stall.thread].tid}`,
						)
					: null,
			),
			element(
				"td",
				{ class: "at", title: exactTimeText(stall.start_ns) },
				timeText(stall.start_ns),
			),
		);
	}

	/* Marks the selected stall; null for none. */
	/** @param {number | null} id */
	mark(id) {
		this.marked = id;
		while (
			id !== null &&
			!this.rows.has(id) &&
			this.shown < Math.min(this.sorted.length, STALL_ROWS_MOST)
		)
			this.more();
		for (const [number, row] of this.rows) {
			const chosen = number === id;

			row.classList.toggle("chosen", chosen);
			row.querySelector("button")?.setAttribute("aria-pressed", String(chosen));
			if (chosen) row.scrollIntoView({ block: "nearest" });
		}
	}
}
