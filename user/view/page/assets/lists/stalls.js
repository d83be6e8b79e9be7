// SPDX-License-Identifier: MIT
/* The list of stalls: a table with a button in every row, so that keyboards and screen readers
 * reach all of them. As a rule it is grouped by function and cause. Rows of long lists are added on
 * scrolling. */
"use strict";

const STALLS_AT_ONCE = 200,
	/* the latter only to reveal a stall selected elsewhere */
	STALL_ROWS_MOST = 4000,
	NOBODY = "no function of yours",
	OPEN_STALLS_MOST = 30; /* with more, only the first group is open */

/** @type {Record<StallOrder, { name: string, compare: (a: Stall, b: Stall) => number }>} */
const STALL_ORDERS = {
	group: {
		name: "by function and cause",
		compare: (/** @type {Stall} */ a, /** @type {Stall} */ b) =>
			b.end_ns - b.start_ns - (a.end_ns - a.start_ns) || a.start_ns - b.start_ns,
	},
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
	 * @param {HTMLElement} tools
	 * @param {View} view
	 * @param {Actions} actions
	 */
	constructor(recording, root, tools, view, actions) {
		this.recording = recording;
		this.root = root;
		this.view = view;
		this.actions = actions;
		this.order = /** @type {StallOrder} */ ("group");
		this.sorted = /** @type {Stall[]} */ ([]);
		this.groups = /** @type {StallGroup[]} */ ([]);
		this.entries = /** @type {(Stall | StallGroup)[]} */ ([]);
		this.closed = /** @type {Map<string, boolean>} */ (new Map());
		this.shown = 0;
		this.rows = /** @type {Map<number, HTMLElement>} */ (new Map());
		this.body = element("tbody");
		this.marked = /** @type {number | null} */ (null);
		this.several = recording.loops.length > 1;
		this.onfilter = () => {};
		this.filters = new StallFilters(recording, view, tools, () => {
			this.build();
			this.onfilter();
		});
		this.build();
	}

	/* Shows only the stalls of a cause, a function, …; what is not named stays. */
	/** @param {StallFilter} wanted */
	filter(wanted) {
		this.filters.set(wanted);
		this.build();
	}

	/* The stalls that the list has, with those of closed groups, in its order. */
	idsInOrder() {
		return this.order === "group"
			? this.groups.flatMap(({ stalls }) => stalls.map(({ id }) => id))
			: this.sorted.map(({ id }) => id);
	}

	/** @param {Stall} stall */
	groupKey(stall) {
		return `${stall.blame} ${stall.cause}`;
	}

	/* Those that cost most first. */
	makeGroups() {
		const byKey = /** @type {Map<string, StallGroup>} */ (new Map());

		for (const stall of this.sorted) {
			const key = this.groupKey(stall);
			let group = byKey.get(key);

			if (!group)
				byKey.set(
					key,
					(group = { key, blame: stall.blame, cause: stall.cause, ns: 0, stalls: [] }),
				);
			group.ns += stall.end_ns - stall.start_ns;
			group.stalls.push(stall);
		}
		return [...byKey.values()].sort((a, b) => b.ns - a.ns);
	}

	/** @param {StallGroup} group */
	isClosed(group) {
		return (
			this.closed.get(group.key) ??
			(this.sorted.length > OPEN_STALLS_MOST && group !== this.groups[0])
		);
	}

	build() {
		const { recording } = this;

		if (!recording.stalls.length) {
			this.root.replaceChildren(this.nothing());
			return;
		}
		this.sorted = recording.stalls
			.filter((stall) => this.filters.accept(stall))
			.sort(STALL_ORDERS[this.order].compare);
		this.groups = this.order === "group" ? this.makeGroups() : [];
		this.entries =
			this.order === "group"
				? this.groups.flatMap((group) => [
						group,
						...(this.isClosed(group) ? [] : group.stalls),
					])
				: this.sorted;
		this.shown = 0;
		this.rows = new Map();
		this.body = element("tbody");
		this.root.replaceChildren(
			element(
				"table",
				{ class: "list stalls" },
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
						this.headCell("group", "Function"),
						this.headCell("time", "At"),
					),
				),
				this.body,
			),
			this.sorted.length
				? ""
				: element("p", { class: "note" }, "No stall is like this: see the filters above."),
		);
		this.more();
		this.root.append(listEnd(() => this.more()));
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
			`No iteration of the event loop took ${threshold} or longer; there were ` +
				`${manyText(turns, "iteration")}.`,
		);
	}

	/** @param {StallOrder} order @param {string} words */
	headCell(order, words) {
		const sorted = this.order === order && order !== "group";

		return sortHead(
			words,
			`Sort ${STALL_ORDERS[order].name}`,
			sorted ? (order === "length" ? "descending" : "ascending") : null,
			() => {
				this.order = order;
				this.build();
				focusIn(this.root, `[data-order="${order}"]`);
			},
			order,
		);
	}

	more() {
		for (const entry of this.entries.slice(this.shown, this.shown + STALLS_AT_ONCE)) {
			const row = "stalls" in entry ? this.groupRow(entry) : this.row(entry);

			if (!("stalls" in entry)) this.rows.set(entry.id, row);
			this.body.append(row);
		}
		this.shown = Math.min(this.entries.length, this.shown + STALLS_AT_ONCE);
	}

	/** @param {StallGroup} group */
	groupRow(group) {
		const closed = this.isClosed(group),
			handler = this.recording.blame[group.blame]?.handler;

		return element(
			"tr",
			{ class: "group", "data-group": group.key },
			element(
				"th",
				{ scope: "rowgroup", colspan: 4 },
				element(
					"button",
					{
						type: "button",
						class: "row-button",
						"aria-expanded": String(!closed),
						onclick: () => {
							this.closed.set(group.key, !closed);
							this.build();
							focusIn(this.root, `[data-group="${group.key}"] button`);
						},
					},
					element("span", { class: "chevron", "aria-hidden": "true" }),
					stateSwatch(group.cause),
					handler ? element("code", {}, handler.function) : NOBODY,
					element("span", { class: "soft" }, ` · ${stateLabel(group.cause)}`),
					handler ? unseenPlace(handler) : null,
					element(
						"span",
						{ class: "group-sum" },
						`${manyText(group.stalls.length, "stall")} · `,
						durationElement(group.ns, { "data-figure": "group" }),
					),
				),
			),
		);
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
							`Stall of ${durationText(length)}, ${stateLabel(stall.cause)}` +
							`${culprit ? `, ${culprit.function}` : ""}, at ` +
							startText(stall) +
							this.recording.loopText(stall),
					},
					durationText(length),
					stall.ongoing ? "+" : "",
				),
			),
			element("td", {}, stateElement(stall.cause)),
			element(
				"td",
				{ class: "what" },
				blocker ? element("span", { class: "soft" }, "GIL held by ") : null,
				culprit
					? placedFrame(culprit)
					: element(
							"span",
							{ class: "soft" },
							blocker ? blocker.python_name || blocker.thread : "unknown",
						),
				this.several
					? element(
							"span",
							{ class: "soft" },
							` · ${this.recording.whichText(this.recording.threads[stall.thread])}`,
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
		const stall = id === null ? null : this.sorted.find((other) => other.id === id),
			group = stall && this.groups.find(({ key }) => key === this.groupKey(stall));

		this.marked = id;
		if (group && this.isClosed(group)) {
			this.closed.set(group.key, false);
			this.build(); /* marks it */
			return;
		}
		while (
			id !== null &&
			stall &&
			!this.rows.has(id) &&
			this.shown < Math.min(this.entries.length, STALL_ROWS_MOST)
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
