// SPDX-License-Identifier: MIT
/* A stall in full: every figure that `report --json` has of it, with the remedy first. */
"use strict";

class StallDetails {
	/** @param {Recording} recording @param {Actions} actions */
	constructor(recording, actions) {
		this.recording = recording;
		this.actions = actions;
	}

	/** @param {Stall} stall */
	show(stall) {
		const length = stall.end_ns - stall.start_ns;

		return [
			element(
				"div",
				{ class: "details-head" },
				element(
					"h3",
					{},
					stateSwatch(stall.cause),
					"Stall of ",
					durationElement(length, { "data-figure": "length" }),
					element("span", { class: "soft" }, ` · ${stateLabel(stall.cause)} · `),
					this.time(stall.start_ns, "start"),
				),
				this.marks(stall),
			),
			stall.remedy
				? element("p", { class: "remedy", "data-figure": "remedy" }, stall.remedy)
				: null,
			this.place(stall),
			stateSection("Where the time went", stateEntries(stall.states), length),
			this.blockers(stall),
			this.shares(
				"Stopped from outside",
				Object.entries(stall.stopped_by || {}),
				length,
				"stopped",
			),
			this.shares(
				"Blocking system calls",
				stall.syscalls.map(({ name, ns }) => [element("code", {}, name), ns]),
				length,
				"syscall",
			),
			this.shares(
				"Who used the CPU",
				stall.preempted_by.map((entry) => [this.occupant(entry), entry.ns]),
				length,
				"preempted",
			),
			this.extras(stall),
			this.parts(stall),
			stall.stack.length
				? element(
						"section",
						{},
						element("h4", {}, "Stack (most of the time)"),
						stackElement(stall.stack, stall.handler),
					)
				: null,
			element(
				"p",
				{ class: "soft small" },
				`${exactRangeText(stall.start_ns, stall.end_ns)}, ` +
					`loop of ${this.recording.threadText(stall.thread)}`,
			),
		].filter((part) => part !== null);
	}

	/** @param {number} ns @param {string} figure */
	time(ns, figure) {
		return element(
			"span",
			{ class: "figure", "data-figure": figure, "data-ns": ns, title: exactTimeText(ns) },
			timeText(ns),
		);
	}

	/** @param {Stall} stall */
	marks(stall) {
		const marks = [
			stall.ongoing ? "still in progress when the recording ended" : "",
			stall.whole === false ? "data is missing at its start or end: at least this long" : "",
		];

		return marks.some(Boolean)
			? element("p", { class: "note" }, marks.filter(Boolean).join("; "))
			: null;
	}

	/* Its decorator and its line. */
	/** @param {ReportHandler} handler */
	source({ decorator, source }) {
		return [decorator, source]
			.filter(Boolean)
			.map((text) => element("code", { class: "source" }, text));
	}

	/* The handler, and its task. */
	/** @param {Stall} stall */
	place(stall) {
		if (!stall.handler && !stall.task) return null;
		return element(
			"p",
			{ class: "place" },
			stall.handler
				? [
						element("span", { class: "badge" }, roleText(stall.handler.role)),
						" ",
						placedFrame(stall.handler, { "data-figure": "handler" }),
						...this.source(stall.handler),
					]
				: null,
			stall.task
				? element(
						"span",
						{ class: "soft" },
						" in task ",
						element("code", { "data-figure": "task" }, stall.task),
					)
				: null,
		);
	}

	/**
	 * @param {string} title
	 * @param {[Child, number][]} entries
	 * @param {number} whole
	 * @param {string} figure
	 */
	shares(title, entries, whole, figure) {
		if (!entries.length) return null;
		return element(
			"section",
			{},
			element("h4", {}, title),
			element(
				"ul",
				{ class: "shares plain" },
				entries.map(([words, ns]) =>
					element(
						"li",
						{},
						element("span", {}, words),
						durationElement(ns, { "data-figure": figure }),
						element("span", { class: "soft" }, percentText(ns, whole)),
					),
				),
			),
		);
	}

	/** @param {ReportOccupant} shape */
	occupant({ pid, tid, comm, outside }) {
		return !pid && comm === "idle"
			? "nobody (idle)"
			: `${comm || "?"} (${pid}${outside ? " of the host" : ""}${
					tid && tid !== pid ? `, thread ${tid}` : ""
				})`;
	}

	/** @param {Stall} stall */
	blockers(stall) {
		if (!stall.blockers.length) return null;
		return element(
			"section",
			{},
			element("h4", {}, "Who held the GIL"),
			stall.blockers.map((blocker, place) => this.blocker(blocker, stall, place + 1)),
		);
	}

	/** @param {ReportBlocker} blocker @param {Stall} stall @param {number} place */
	blocker(blocker, stall, place) {
		const entries = stateEntries(blocker.states),
			process = this.recording.threads[stall.thread].process;
		const thread = this.recording.threads.find(
			(other) => other.process === process && other.tid === blocker.tid,
		);
		const name = thread
			? thread.name
			: `${blocker.python_name || blocker.thread} (${blocker.tid})`;

		return element(
			"div",
			{ class: "blocker" },
			element(
				"div",
				{ class: "blocker-head" },
				thread
					? element(
							"button",
							{
								type: "button",
								class: "link",
								"aria-label": `${name}, holder ${place}`,
								onclick: () =>
									this.actions.choose({ kind: "thread", thread: thread.number }),
							},
							threadSwatch(thread.number),
							name,
						)
					: name,
				durationElement(blocker.ns, { "data-figure": "blocker" }),
			),
			element(
				"ul",
				{ class: "shares" },
				entries.map(([state, ns]) => shareElement(state, ns, "blocker")),
				blocker.gc_ns
					? element(
							"li",
							{},
							element("span", {}, "of it garbage collection"),
							durationElement(blocker.gc_ns, { "data-figure": "blocker.gc" }),
						)
					: null,
			),
			blocker.handler
				? element(
						"p",
						{ class: "place" },
						element("span", { class: "badge" }, roleText(blocker.handler.role)),
						" ",
						placedFrame(blocker.handler),
					)
				: null,
			blocker.stack.length ? stackElement(blocker.stack, blocker.handler, 3) : null,
		);
	}

	/** @param {Stall} stall */
	extras(stall) {
		/** @type {[ns: number, figure: string, words: string][]} */
		const all = [
			[
				stall.throttled_ns,
				"throttled",
				"of it ready to run, but the cgroup's CPU quota was used up",
			],
			[stall.gc_ns, "gc", `of it garbage collection${stall.gc_sampled ? " (sampled)" : ""}`],
		];
		const rows = all.filter(([ns]) => ns);

		return rows.length
			? element(
					"ul",
					{ class: "shares plain" },
					rows.map(([ns, figure, words]) =>
						element(
							"li",
							{},
							element("span", {}, words),
							durationElement(ns, { "data-figure": figure }),
						),
					),
				)
			: null;
	}

	/* What ran in the iteration, in order of time. A single part adds nothing. */
	/** @param {Stall} stall */
	parts(stall) {
		if (stall.parts.length < 2) return null;
		const rows = stall.parts.map((part, place) => {
			const ns = Object.values(part.states).reduce((sum, more) => sum + more, 0);

			return [
				element(
					"button",
					{
						type: "button",
						class: "link figure",
						"data-ns": part.start_ns,
						"data-figure": "part.start",
						"aria-label": `${timeText(part.start_ns)}, callback ${place + 1}`,
						title: exactRangeText(part.start_ns, part.end_ns),
						onclick: () => this.actions.show(part.start_ns, part.end_ns),
					},
					timeText(part.start_ns),
				),
				part.handler
					? placedFrame(part.handler)
					: element("span", { class: "soft" }, "event loop (no handler)"),
				durationElement(ns, { "data-figure": "part" }),
				stateBar(stateEntries(part.states), ns),
				part.task || "",
			];
		});
		const resolution = stall.resolution_ns ? ` (±${durationText(stall.resolution_ns)})` : "";

		return element(
			"section",
			{},
			element("h4", {}, `Callbacks in this iteration${resolution}`),
			figureTable(
				"Callbacks in this iteration",
				["from", "function", "time", "states", "task"],
				rows,
				{
					class: "figures parts",
				},
			),
		);
	}
}

/* What people read for a handler's role. */
/** @param {string} role */
function roleText(role) {
	return ROLE_LABELS[role] || role;
}
