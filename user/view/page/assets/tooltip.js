// SPDX-License-Identifier: MIT
/* The tooltip of the thing under the mouse: exact figures in a few lines. The details have more. */
"use strict";

class Tooltip {
	/** @param {Recording} recording @param {HTMLElement} root */
	constructor(recording, root) {
		this.recording = recording;
		this.root = root;
	}

	hide() {
		this.root.hidden = true;
	}

	/* `above`: keep what is below the pointer visible. */
	/**
	 * @param {Thing} thing
	 * @param {PixelColumn} column
	 * @param {{ x: number, y: number, above: boolean }} shape
	 */
	show(thing, column, { x, y, above }) {
		this.root.replaceChildren(...this.lines(thing, column));
		this.root.hidden = false;
		const { width, height } = this.root.getBoundingClientRect(),
			up = (above && y > height + 20) || y + 18 + height > innerHeight;
		const left = x + 16 + width > innerWidth ? Math.max(4, x - width - 12) : x + 16;

		this.root.style.left = `${left}px`;
		this.root.style.top = `${up ? Math.max(4, y - height - 14) : y + 18}px`;
	}

	/* `column`: {row, from, until}, the stretch of time that the pixel covers. */
	/** @param {Thing} thing @param {PixelColumn} column */
	lines(thing, column) {
		const [from, until] = thingTimes(this.recording, thing);

		return [
			...this.linesOf(thing),
			this.length(until - from),
			element("div", { class: "tip-times" }, `from ${exactTimeText(from)}`),
			...this.columnLines(thing, column),
		];
	}

	/** @param {Thing} thing */
	linesOf(thing) {
		switch (thing.kind) {
			case "hold":
				return this.holdLines(thing);
			case "state":
				return this.stateLines(thing);
			case "turn":
				return this.turnLines(thing);
			case "busy":
				return this.busyLines(thing);
			case "stall":
				return this.stallLines(thing);
			case "frame":
				return this.frameLines(thing);
			case "fold":
				return this.foldLines(thing);
			case "thread":
			case "function":
			case "range":
				return []; /* it has no place of its own in the picture */
		}
	}

	/** @param {number} ns */
	length(ns) {
		return element(
			"div",
			{ class: "tip-length" },
			element("b", {}, durationText(ns)),
			ns >= 1000 ? element("span", { class: "soft" }, ` ${exactText(ns)}`) : null,
		);
	}

	/** @param {...Child} children */
	head(...children) {
		return element("div", { class: "tip-head" }, children);
	}

	/** @param {...Child} children */
	line(...children) {
		return element("div", { class: "tip-line" }, children);
	}

	/** @param {HoldThing} thing */
	holdLines(thing) {
		const lane = this.recording.gils[thing.gil].holdLane,
			flags = lane.flags[thing.index],
			thread = lane.holder(thing.index);
		const notes = [
			flags & PAGE_HOLD_REQUESTED ? "forced release: another thread asked for it" : "",
			flags & PAGE_HOLD_WHOLE ? "" : "at least this long",
		].filter(Boolean);

		return [
			this.head(threadSwatch(thread), "GIL held by ", this.recording.threadText(thread)),
			...notes.map((note) => this.line(note)),
		];
	}

	/** @param {StateThing} thing */
	stateLines(thing) {
		const lane = this.recording.threads[thing.thread].stateLane,
			state = STATE_NAMES[lane.kinds[thing.index]],
			flags = lane.flags[thing.index],
			call = lane.call(thing.index);
		const holder = holderDuring(this.recording, thing),
			lines = [
				this.head(stateSwatch(state), labelOf(state, this.recording.threads[thing.thread])),
				this.line(stateLook(state).doing),
			];

		if (call !== null)
			lines.push(this.line("in ", element("code", {}, this.recording.callText(call))));
		if (holder)
			lines.push(
				this.line(
					"held by ",
					threadSwatch(holder.thread),
					this.recording.threadText(holder.thread),
					" for ",
					durationText(holder.ns),
					" of it",
				),
			);
		/** @type {[number, string][]} */
		const marks = [
			[PAGE_STATE_GC, "garbage collection"],
			[PAGE_STATE_THROTTLED, "the cgroup's CPU quota was used up"],
			[PAGE_STATE_SAMPLED, "running Python or C code: sampled"],
		];

		for (const [flag, words] of marks) if (flags & flag) lines.push(this.line(words));
		return lines;
	}

	/** @param {TurnThing} thing */
	turnLines(thing) {
		const flags = this.recording.loops[thing.loop].turnLane.flags[thing.index];

		return [
			this.head("Iteration of the event loop"),
			...(flags & PAGE_TURN_ONGOING
				? [this.line("had not ended when the recording did")]
				: flags & PAGE_TURN_WHOLE
					? []
					: [this.line("at least this long")]),
		];
	}

	/** @param {BusyThing} thing */
	busyLines(thing) {
		const pool = this.recording.pools[thing.pool];

		return [
			this.head(pool.name),
			...busySentences(pool, thing.index).map((sentence) => this.line(sentence)),
		];
	}

	/** @param {StallThing} thing */
	stallLines(thing) {
		const stall = this.recording.stalls[thing.stall];

		return [
			this.head(stateSwatch(stall.cause), `Stall: ${stateLabel(stall.cause)}`),
			stall.handler ? this.line(placedFrame(stall.handler)) : null,
			...stateEntries(stall.states)
				.slice(0, 4)
				.map(([state, ns]) =>
					this.line(stateSwatch(state), `${stateLabel(state)} ${durationText(ns)}`),
				),
		].filter((line) => line !== null);
	}

	/** @param {FrameThing} thing */
	frameLines(thing) {
		const frame = this.recording.stacks.frame(thing.node),
			thread = this.recording.threads[thing.thread],
			lane = thread.stackLane;
		const state = thread.stateLane.kinds[thread.stateLane.indexAt(lane.starts[thing.index])],
			task = this.recording.head.texts[lane.tasks[thing.index]];

		return [
			this.head(element("code", {}, frame.name)),
			this.line(
				element("code", {}, (frame.file || "?") + (frame.line ? `:${frame.line}` : "")),
			),
			...this.recording
				.sources(thing.node)
				.map((text) => this.line(element("code", { class: "source" }, text))),
			this.line(
				ownerSwatch(this.recording.stacks.owners[frame.function]),
				ownerText(this.recording.stacks, frame.function),
			),
			task ? this.line("task ", element("code", {}, task)) : null,
			this.line(
				STATE_RUNS[state]
					? "on a CPU: sampled"
					: `${stateLabel(STATE_NAMES[state])}: exact`,
			),
		].filter((line) => line !== null);
	}

	/** @param {FoldThing} thing */
	foldLines({ thread, index, fold }) {
		const { stacks, threads, folds } = this.recording,
			{ rows, stackLane } = threads[thread],
			nodes = rows.nodesOf(stackLane.stacks[index], -fold);

		return [
			this.head(ownerSwatch(OWNER_FOLDED), folds.list[fold].text),
			this.line(
				`${manyText(nodes.length, "frame")} of others: `,
				foldCounts(
					stacks,
					nodes.map((node) => stacks.function[node]),
				),
			),
			this.line(rows.isOpen(-fold) ? "A click folds them." : "A click shows them."),
		];
	}

	/** @param {Lane} lane @param {number} from @param {number} until */
	longestOf(lane, from, until) {
		const count = lane.indexAt(until) - lane.indexAt(from) + 1;

		return element(
			"div",
			{ class: "tip-rule" },
			`the longest of ${countText(count)} around here, in ${durationText(until - from)}:`,
		);
	}

	/** @param {BusyThing} thing @param {number} from @param {number} until */
	busyColumnLines(thing, from, until) {
		const lane = this.recording.pools[thing.pool].busyLane,
			{ busy, full, unknown } = lane.times(from, until),
			average = (busy / (until - from)).toFixed(1);

		if (lane.indexAt(until) - lane.indexAt(from) < 3) return [];
		return [
			this.longestOf(lane, from, until),
			this.line(`${unknown ? "at least " : ""}${average} busy on average`),
			full ? this.line(`all busy ${percentText(full, until - from)}`) : null,
		].filter((line) => line !== null);
	}

	/* What a pixel shared by many entries contains. */
	/** @param {Thing} thing @param {PixelColumn} shape */
	columnLines(thing, { row, from, until }) {
		if (thing.kind === "busy") return this.busyColumnLines(thing, from, until);
		const lane = thing.kind === "state" ? this.recording.threads[thing.thread].stateLane : null;

		if (!lane || row.kind !== "states" || lane.indexAt(until) - lane.indexAt(from) < 3)
			return [];
		const sums = sumEntries(lane.sums(from, until));

		return [
			this.longestOf(lane, from, until),
			...sums
				.slice(0, 5)
				.map(([state, ns]) =>
					this.line(
						stateSwatch(state),
						`${stateLabel(state)} ${percentText(ns, until - from)}`,
					),
				),
		];
	}
}
