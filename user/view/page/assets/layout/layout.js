// SPDX-License-Identifier: MIT
/* Where the lanes are: groups (a GIL, a pool, a thread) from top to bottom, each with rows. Threads
 * that do nothing but sleep are behind one line. */
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
const FLAME_ROWS_MOST = 8,
	OPEN_THREADS_MOST = 5,
	OPEN_POOLS_MOST = 3,
	OPEN_PROCESSES_LEAST = 3,
	OPEN_PROCESSES_MOST = 8,
	ASLEEP_LEAST = 3 /* threads that are worth a line of their own */,
	AWAKE_MOST = 1000; /* they are awake for a 1000th of the time at most */

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

/* Room for the label. */
/** @param {Group} group */
function leastHeight({ kind, open }) {
	if (kind === "process") return 26;
	if (kind === "asleep") return SLIM_ROW_PX + 2 * GROUP_PADDING_PX;
	return open ? LABEL_PX : 0;
}

/* Opens it, and what it is behind. */
/** @param {Group} group */
function show(group) {
	group.open = true;
	if (group.of) group.of.open = true;
	if (group.kind === "thread" && group.behind) group.behind.open = true;
}

class Layout {
	/** @param {Recording} recording @param {HTMLElement} labels @param {() => void} onchange */
	constructor(recording, labels, onchange) {
		this.recording = recording;
		this.onchange = onchange;
		this.rows = /** @type {Row[]} */ ([]);
		this.height = 0;
		this.pinned = { below: -1, thread: -1 };
		this.groups = this.makeGroups();
		this.labels = new Labels(this, labels);
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
				.filter((thread) => (thread.loop || busy(thread)) && !thread.figures.stands_for)
				.slice(0, OPEN_THREADS_MOST),
		);
		const few = recording.threads.length <= 3,
			openPools = new Set(
				[...recording.pools]
					.sort((a, b) => b.figures.full_ns - a.figures.full_ns)
					.slice(0, OPEN_POOLS_MOST),
			);

		const ordered = recording.threadsInOrder();

		recording.processesInOrder().forEach((number, place) => {
			const first = groups.length,
				troubled = recording.stalledOf(number).count > 0;

			if (recording.severalProcesses)
				groups.push({
					...unplaced,
					kind: "process",
					process: number,
					open: place < (troubled ? OPEN_PROCESSES_MOST : OPEN_PROCESSES_LEAST),
				});
			for (const gil of recording.gils.filter(
				({ process, figures }) => process === number && !figures.stands_for,
			))
				groups.push({ ...unplaced, kind: "gil", gil });
			const threads = ordered
					.filter(({ process }) => process === number)
					.map(
						(thread) =>
							/** @type {ThreadGroup} */ ({
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

			groups.push(...threads.splice(0, loops), ...pools);
			this.addThreads(groups, threads, number);
			const [head, ...lanes] = groups.slice(first);

			if (head?.kind === "process") for (const group of lanes) group.of = head;
		});
		return groups;
	}

	/* The threads that run no loop; those that sleep all the time are last, behind their line. */
	/** @param {Group[]} groups @param {ThreadGroup[]} threads @param {number} process */
	addThreads(groups, threads, process) {
		const asleep = threads.filter(({ thread }) => this.sleeps(thread));

		/** @type {AsleepGroup} */
		const line = {
			kind: "asleep",
			process,
			threads: asleep.map(({ thread }) => thread),
			open: false,
			whole: false,
			y: 0,
			height: 0,
			rows: [],
		};

		if (asleep.length < ASLEEP_LEAST) {
			groups.push(...threads);
			return;
		}
		for (const group of asleep) Object.assign(group, { behind: line, open: false });
		groups.push(...threads.filter((group) => !group.behind), line, ...asleep);
	}

	/* Is there nothing to see of a thread? The main thread is always in sight. */
	/** @param {Thread} thread */
	sleeps({ process, tid, poller, number, figures: { states } }) {
		const { recording } = this,
			awake = STATE_NAMES.reduce(
				(sum, name) => sum + (["blocked", "unknown"].includes(name) ? 0 : states[name]),
				0,
			);

		return (
			tid !== recording.processes[process].pid &&
			!poller &&
			states.blocked > recording.end / 2 &&
			awake * AWAKE_MOST < recording.end &&
			!recording.stalls.some((stall) => recording.blockerThread(stall) === number)
		);
	}

	/* Places every row. Called again when a group is opened or closed, or a thread's stacks have
	 * been read. */
	place() {
		let y = 0;

		this.rows = [];
		for (const group of this.groups) Object.assign(group, { y: Infinity, rows: [] });
		for (const group of this.order()) {
			group.y = y;
			y += GROUP_PADDING_PX;
			const first = this.rows.length;

			for (const [kind, height, more] of this.rowsOf(group)) {
				this.rows.push(/** @type {Row} */ ({ kind, y, height, group, ...more }));
				y += height + ROW_GAP_PX;
			}
			group.rows = this.rows.slice(first);
			y = Math.max(y - ROW_GAP_PX + GROUP_PADDING_PX, group.y + leastHeight(group));
			group.height = y - group.y;
		}
		this.height = y;
		this.labels.place();
	}

	/* Keeps a thread's lanes under those of another one, so that both are in sight. */
	/** @param {number} below @param {number} thread -1: none */
	pin(below, thread) {
		const group = this.groupOfThread(thread);

		if (this.pinned.below === below && this.pinned.thread === thread) return;
		this.pinned = { below, thread };
		if (group) show(group);
		this.place();
		this.onchange();
	}

	/* The groups in sight from top to bottom. */
	order() {
		const { below, thread } = this.pinned,
			pinned = this.groupOfThread(thread),
			shown = this.groups.filter(
				(group) =>
					group.of?.open !== false &&
					(group.kind !== "thread" || !group.behind || group.behind.open),
			),
			rest = shown.filter((group) => group !== pinned),
			at = rest.findIndex(
				(group) => group.kind === "thread" && group.thread.number === below,
			);

		return pinned && at >= 0 ? rest.toSpliced(at + 1, 0, pinned) : shown;
	}

	/**
	 * The rows of a group: what each shows, its height, and whose it is.
	 * @param {Group} group
	 * @returns {RowWish[]}
	 */
	rowsOf(group) {
		if (group.kind === "process" || group.kind === "asleep") return [];
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
			shown = thread.rows.depth(group.whole, FLAME_ROWS_MOST);

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
		if (open) show(group);
		this.place();
		this.onchange();
	}

	/* Shows all frames of all threads, or folds them again. */
	/** @param {boolean} whole */
	unfold(whole) {
		for (const group of this.groups) group.whole = whole;
		this.place();
		this.onchange();
	}
}
