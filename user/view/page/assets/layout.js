// SPDX-License-Identifier: MIT
/* Where the lanes are: groups (a GIL, a pool, a thread) from top to bottom, each with rows. And
 * their labels, which are real buttons. */
"use strict";

const HOLD_ROW_PX = 24,
	WAITERS_ROW_PX = 14,
	TURN_ROW_PX = 17,
	BUSY_ROW_PX = 36,
	STATE_ROW_PX = 20,
	SLIM_ROW_PX = 14,
	FLAME_ROW_HEIGHT_PX = 15;
const GROUP_PADDING_PX = 5,
	ROW_GAP_PX = 2,
	LABEL_PX = 46;
const FLAME_ROWS_MOST = 6,
	OPEN_THREADS_MOST = 5,
	OPEN_POOLS_MOST = 3;

/* What a row is of. */
/** @param {Row} row */
function rowOwner(row) {
	switch (row.kind) {
		case "hold":
		case "waiters":
			return row.gil;
		case "turns":
			return row.loop;
		case "busy":
			return row.pool;
		default:
			return row.thread;
	}
}

class Layout {
	/** @param {Recording} recording @param {HTMLElement} labels @param {() => void} onchange */
	constructor(recording, labels, onchange) {
		this.recording = recording;
		this.labels = labels;
		this.onchange = onchange;
		this.rows = /** @type {Row[]} */ ([]);
		this.height = 0;
		this.pinned = { below: -1, thread: -1 };
		this.groups = this.makeGroups();
		this.place();
	}

	makeGroups() {
		const { recording } = this,
			groups = /** @type {Group[]} */ ([]),
			unplaced = { open: true, whole: false, y: 0, height: 0, rows: [] };
		/** @param {Thread} thread */
		const busy = (thread) => recording.heldBy(thread) > recording.end / 200;
		const open = new Set(
			recording
				.threadsInOrder()
				.filter((thread) => thread.loop || busy(thread))
				.slice(0, OPEN_THREADS_MOST),
		);
		const few = recording.threads.length <= 3,
			openPools = new Set(
				[...recording.pools]
					.sort((a, b) => b.figures.full_ns - a.figures.full_ns)
					.slice(0, OPEN_POOLS_MOST),
			);

		recording.processes.forEach((_, number) => {
			if (recording.severalProcesses)
				groups.push({ ...unplaced, kind: "process", process: number });
			for (const gil of recording.gils.filter(({ process }) => process === number))
				groups.push({ ...unplaced, kind: "gil", gil });
			const threads = recording
					.threadsInOrder()
					.filter(({ process }) => process === number)
					.map(
						(thread) =>
							/** @type {Group} */ ({
								...unplaced,
								kind: "thread",
								thread,
								open: few || open.has(thread),
							}),
					),
				pools = recording.pools
					.filter(({ process }) => process === number)
					.map(
						(pool) =>
							/** @type {Group} */ ({
								...unplaced,
								kind: "pool",
								pool,
								open: openPools.has(pool),
							}),
					),
				loops = recording.threads.filter(
					({ process, loop }) => process === number && loop,
				).length;

			groups.push(...threads.splice(0, loops), ...pools, ...threads);
		});
		return groups;
	}

	/* Places every row. Called again when a group is opened or closed, or a thread's stacks have
	 * been read. */
	place() {
		let y = 0;

		this.rows = [];
		for (const group of this.order()) {
			group.y = y;
			y += GROUP_PADDING_PX;
			const first = this.rows.length;

			for (const [kind, height, more] of this.rowsOf(group)) {
				this.rows.push(/** @type {Row} */ ({ kind, y, height, group, ...more }));
				y += height + ROW_GAP_PX;
			}
			group.rows = this.rows.slice(first);
			y = Math.max(
				y - ROW_GAP_PX + GROUP_PADDING_PX,
				group.y + (group.kind === "process" ? 26 : group.open ? LABEL_PX : 0),
			);
			group.height = y - group.y;
		}
		this.height = y;
		this.placeLabels();
	}

	/* Keeps a thread's lanes under those of another one, so that both are in sight. */
	/** @param {number} below @param {number} thread -1: none */
	pin(below, thread) {
		const group = this.groupOfThread(thread);

		if (this.pinned.below === below && this.pinned.thread === thread) return;
		this.pinned = { below, thread };
		if (group) group.open = true;
		this.place();
		this.onchange();
	}

	/* The groups from top to bottom. */
	order() {
		const { below, thread } = this.pinned,
			pinned = this.groupOfThread(thread),
			rest = this.groups.filter((group) => group !== pinned),
			at = rest.findIndex(
				(group) => group.kind === "thread" && group.thread.number === below,
			);

		return pinned && at >= 0 ? rest.toSpliced(at + 1, 0, pinned) : this.groups;
	}

	/**
	 * The rows of a group: what each shows, its height, and whose it is.
	 * @param {Group} group
	 * @returns {RowWish[]}
	 */
	rowsOf(group) {
		if (group.kind === "process") return [];
		if (group.kind === "gil") {
			const { gil } = group;

			return group.open
				? [
						["hold", HOLD_ROW_PX, { gil }],
						["waiters", WAITERS_ROW_PX, { gil }],
					]
				: [["hold", SLIM_ROW_PX, { gil }]];
		}
		if (group.kind === "pool")
			return [["busy", group.open ? BUSY_ROW_PX : SLIM_ROW_PX, { pool: group.pool }]];
		const { thread } = group;

		if (!group.open) return [["states", SLIM_ROW_PX, { thread }]];
		const tall = this.recording.stacks.count === 1 && thread.loopNumber === undefined;
		const loop =
				thread.loopNumber === undefined ? null : this.recording.loops[thread.loopNumber],
			depth = thread.rows.depths[Number(group.whole)];
		const shown = group.whole ? depth : Math.min(depth, FLAME_ROWS_MOST);

		/** @type {RowWish[]} */
		const rows = [
			["states", tall ? LABEL_PX - 2 * GROUP_PADDING_PX : STATE_ROW_PX, { thread }],
		];

		if (loop) rows.unshift(["turns", TURN_ROW_PX, { loop }]);
		if (shown)
			rows.push([
				"flame",
				shown * FLAME_ROW_HEIGHT_PX,
				{ thread, whole: group.whole, shown },
			]);
		return rows;
	}

	/** @param {number} y */
	rowAt(y) {
		return this.rows.find((row) => y >= row.y && y < row.y + row.height) || null;
	}

	/** @param {Row["kind"]} kind @param {Thread | Gil | Loop | Pool} owner */
	rowOf(kind, owner) {
		return this.rows.find((row) => row.kind === kind && rowOwner(row) === owner) || null;
	}

	/** @param {number} number @returns {ThreadGroup | undefined} */
	groupOfThread(number) {
		return this.threadGroups().find((group) => group.thread.number === number);
	}

	threadGroups() {
		return this.groups.filter((group) => group.kind === "thread");
	}

	/** @param {Group} group */
	toggle(group, open = !group.open) {
		group.open = open;
		this.place();
		this.onchange();
	}

	// ── labels ───────────────────────────────────────────────────────────────────────────────────

	placeLabels() {
		this.labels.style.height = `${this.height}px`;
		document.documentElement.style.setProperty(
			"--lanes-height",
			`${Math.max(150, this.height + 1)}px`,
		);
		for (const group of this.groups) {
			if (
				!group.label ||
				group.labelOpen !== `${group.open} ${group.whole} ${group.rows.length}`
			) {
				const made = this.makeLabel(group),
					focused =
						group.label?.contains(document.activeElement) &&
						document.activeElement?.getAttribute("data-role");

				group.label ? group.label.replaceWith(made) : this.labels.append(made);
				group.label = made;
				group.labelOpen = `${group.open} ${group.whole} ${group.rows.length}`;
				if (focused)
					/** @type {HTMLElement | null} */ (
						made.querySelector(`[data-role="${focused}"]`)
					)?.focus();
			}
			group.label.style.top = `${group.y}px`;
			group.label.style.height = `${group.height}px`;
			for (const [index, row] of group.rows.entries()) {
				const caption = group.captions?.[index];

				if (caption) caption.style.top = `${row.y - group.y}px`;
			}
		}
	}

	/** @param {Group} group */
	makeLabel(group) {
		const label = element("div", {
			class: `lane-label lane-${group.kind}${group.open ? "" : " closed"}`,
			"data-kind": group.kind,
		});

		if (group.kind === "process")
			label.append(element("span", { class: "lane-name" }, this.processText(group.process)));
		else label.append(this.toggleButton(group), this.factsOf(group));
		if (group.kind === "thread") {
			label.dataset.thread = String(group.thread.number);
			label.classList.toggle("looped", group.thread.loopNumber !== undefined && group.open);
		}
		group.captions = group.open ? group.rows.map((row) => this.caption(group, row)) : [];
		label.append(...group.captions.filter((caption) => caption !== null));
		return label;
	}

	/* What a group is called in its label, and in full. */
	/** @param {GilGroup | ThreadGroup | PoolGroup} group */
	namesOf(group) {
		if (group.kind === "pool") return { name: group.pool.name, title: group.pool.name };
		if (group.kind === "gil")
			return { name: this.gilText(group.gil), title: this.gilText(group.gil) };
		const { thread, open } = group;

		return {
			name: open ? thread.python_name || thread.comm || "thread" : thread.short,
			title: thread.name,
		};
	}

	/** @param {GilGroup | ThreadGroup | PoolGroup} group */
	toggleButton(group) {
		const { name, title } = this.namesOf(group);

		return element(
			"button",
			{
				class: "lane-toggle",
				type: "button",
				"data-role": "toggle",
				"aria-expanded": String(group.open),
				"aria-label": "Lanes of " + (group.kind === "thread" ? group.thread.short : name),
				title,
				onclick: () => this.toggle(group),
			},
			element("span", { class: "chevron", "aria-hidden": "true" }),
			group.kind === "thread" ? threadSwatch(group.thread.number) : null,
			element("span", { class: "lane-name" }, name),
		);
	}

	/** @param {GilGroup | ThreadGroup | PoolGroup} group */
	factsOf(group) {
		if (group.kind === "pool") {
			const { threads, full_ns } = group.pool.figures;

			return element(
				"span",
				{ class: "lane-facts" },
				[
					group.open ? manyText(threads, "thread") : "",
					full_ns
						? `${threads > 1 ? "all " : ""}busy ` +
							percentText(full_ns, this.recording.end)
						: "",
				]
					.filter(Boolean)
					.join(" · "),
			);
		}
		if (group.kind === "gil") {
			const { held_ns, contended_ns, unknown_ns } = group.gil.figures,
				whole = this.recording.end,
				unseen = !held_ns && !contended_ns && unknown_ns > whole / 2;

			return element(
				"span",
				{ class: "lane-facts" },
				unseen ? "unknown" : `held ${percentText(held_ns, whole)}`,
			);
		}
		const { thread } = group,
			figures = thread.figures;

		return element(
			"span",
			{ class: "lane-facts" },
			thread.loop ? element("span", { class: "badge" }, "loop") : null,
			thread.poller ? element("span", { class: "badge" }, "poller") : null,
			thread.gone ? element("span", { class: "badge quiet" }, "gone") : null,
			element("span", { class: "lane-tid" }, String(thread.tid)),
			element(
				"span",
				{
					class: "lane-share",
					title: `${exactText(figures.states.python)} running Python`,
				},
				percentText(figures.states.python, this.recording.end) +
					(group.open ? " Python" : ""),
			),
		);
	}

	/** @param {Group} group @param {Row} row */
	caption(group, row) {
		const names = {
			hold: "",
			waiters: "waiting",
			turns: "iterations",
			busy: "",
			states: "",
			flame: "",
		};

		if (row.kind === "flame")
			return element(
				"button",
				{
					class: "lane-caption",
					type: "button",
					"data-role": "whole",
					"aria-label":
						(group.whole ? "fewer frames" : "all frames") + ` of ${row.thread.short}`,
					"aria-pressed": String(group.whole),
					title: group.whole
						? "Show stacks from the handler inwards"
						: "Show stacks with all their frames",
					onclick: () => {
						group.whole = !group.whole;
						this.place();
						this.onchange();
					},
				},
				group.whole ? "fewer frames" : "all frames",
			);
		return names[row.kind] ? element("span", { class: "lane-caption" }, names[row.kind]) : null;
	}

	/** @param {Gil} gil */
	gilText(gil) {
		const several =
			this.recording.gils.filter((other) => other.process === gil.process).length > 1;

		return several ? `GIL ${gil.interpreter}` : "GIL";
	}

	/** @param {number} number */
	processText(number) {
		const { pid, cmdline } = this.recording.processes[number];

		return `process ${pid} · ${cmdline}`;
	}
}
