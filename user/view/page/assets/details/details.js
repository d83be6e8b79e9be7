// SPDX-License-Identifier: MIT
/* The details of the selection: a stall, a turn, a state, a hold, a pool, a frame or a thread;
 * without a selection, the totals of the window. */
"use strict";

class Details extends DetailsPart {
	/** @param {Recording} recording @param {HTMLElement} root @param {Actions} actions */
	constructor(recording, root, actions) {
		super(recording, actions);
		this.root = root;
		this.stallDetails = new StallDetails(recording, actions);
		this.totals = new Totals(recording, actions);
		this.rangeTotals = new RangeTotals(recording, actions);
		this.poolDetails = new PoolDetails(recording, actions);
		this.functionDetails = new FunctionDetails(recording, actions);
	}

	/** @param {Thing | null} thing @param {View} view */
	show(thing, view) {
		const parts = thing ? this.details(thing, view) : this.totals.show(view);

		this.root.replaceChildren(...parts.filter((part) => part !== null));
		this.root.dataset.shows = thing ? thingAddress(thing) : "totals";
	}

	/** @param {Thing} thing @param {View} view @returns {(Node | null)[]} */
	details(thing, view) {
		switch (thing.kind) {
			case "stall":
				return this.stallDetails.show(this.recording.stalls[thing.stall]);
			case "hold":
				return this.hold(thing);
			case "state":
				return this.state(thing);
			case "turn":
				return this.turn(thing);
			case "busy":
				return this.poolDetails.show(thing);
			case "frame":
				return this.frame(thing);
			case "fold":
				return []; /* it cannot be selected */
			case "thread":
				return this.thread(thing, view);
			case "function":
				return this.functionDetails.show(thing.function);
			case "range":
				return this.rangeTotals.show(new Span(thing.from, thing.until, this.recording.end));
		}
	}

	/** @param {HoldThing} thing */
	hold(thing) {
		const lane = this.recording.gils[thing.gil].holdLane,
			thread = lane.holder(thing.index),
			flags = lane.flags[thing.index],
			[from, until] = thingTimes(this.recording, thing);
		const waits = this.waitsDuring(thing.gil, from, until);

		return [
			this.head("GIL held by ", this.threadButton(thread)),
			this.zoomButton(from, until),
			this.facts(from, until, [
				[
					"begin",
					flags & PAGE_HOLD_HANDOFF
						? "previous holder: another thread"
						: "previous holder: same thread, or unknown",
				],
				[
					"end",
					flags & PAGE_HOLD_REQUESTED
						? "forced release: another thread asked for it"
						: flags & PAGE_HOLD_WHOLE
							? "released voluntarily"
							: "not recorded: at least this long",
				],
			]),
			this.sumsSection(
				"What the holder did",
				this.recording.sums(thread, from, until),
				until - from,
			),
			waits.length
				? element(
						"section",
						{},
						element("h4", {}, "Threads that waited for it"),
						element(
							"ul",
							{ class: "shares plain" },
							waits.map(([waiter, ns]) =>
								element(
									"li",
									{},
									this.shortButton(waiter, "waited"),
									durationElement(ns),
								),
							),
						),
					)
				: null,
			this.stackAt(thread, from, until),
		];
	}

	/** @param {number} gil @param {number} from @param {number} until */
	waitsDuring(gil, from, until) {
		return this.recording
			.threadsOf(this.recording.gils[gil])
			.map((thread) => [
				thread.number,
				this.recording.sums(thread.number, from, until)[STATE_GIL_WAIT],
			])
			.filter(([, ns]) => ns)
			.sort((a, b) => b[1] - a[1]);
	}

	/** @param {StateThing} thing */
	state(thing) {
		const lane = this.recording.threads[thing.thread].stateLane,
			state = STATE_NAMES[lane.kinds[thing.index]],
			flags = lane.flags[thing.index],
			call = lane.call(thing.index);
		const [from, until] = thingTimes(this.recording, thing),
			holder = holderDuring(this.recording, thing);

		return [
			this.head(
				stateSwatch(state),
				labelOf(state, this.recording.threads[thing.thread]),
				element("span", { class: "soft" }, " of "),
				this.threadButton(thing.thread),
			),
			element("p", { class: "soft" }, stateLook(state).doing),
			this.zoomButton(from, until),
			this.facts(from, until, [
				call !== null
					? ["asleep in", element("code", {}, this.recording.callText(call))]
					: null,
				flags & PAGE_STATE_GC ? ["garbage collection", "running"] : null,
				flags & PAGE_STATE_THROTTLED
					? ["quota", "the cgroup's CPU quota was used up"]
					: null,
				flags & PAGE_STATE_SAMPLED ? ["data", "running Python or C code: sampled"] : null,
			]),
			state === "gil_wait" ? this.holders(holder) : null,
			this.stackAt(thing.thread, from, until),
		];
	}

	/* Who had the GIL during a wait. */
	/** @param {Holder | null} holder */
	holders(holder) {
		if (!holder) return element("p", { class: "note" }, "Who held the GIL is unknown.");
		const sums = new Map(),
			lane = this.recording.gils[holder.gil].holdLane;

		for (const [index, ns] of holder.all)
			sums.set(lane.holder(index), (sums.get(lane.holder(index)) || 0) + ns);
		const longest = new Map(
			[...sums.keys()].map((thread) => [
				thread,
				holder.all.find(([index]) => lane.holder(index) === thread)?.[0] ?? 0,
			]),
		);

		return element(
			"section",
			{},
			element("h4", {}, "Held by"),
			element(
				"ul",
				{ class: "shares plain" },
				[...sums]
					.sort((a, b) => b[1] - a[1])
					.map(([thread, ns]) =>
						element(
							"li",
							{},
							this.threadButton(thread, "holder"),
							durationElement(ns, { "data-figure": "holder" }),
							element(
								"button",
								{
									type: "button",
									class: "link",
									"aria-label": `its hold: ${this.recording.threadText(thread)}`,
									onclick: () =>
										this.actions.choose({
											kind: "hold",
											gil: holder.gil,
											index: longest.get(thread) ?? 0,
										}),
								},
								"its hold",
							),
						),
					),
			),
		);
	}

	/** @param {TurnThing} thing */
	turn(thing) {
		const [from, until] = thingTimes(this.recording, thing),
			loop = this.recording.loops[thing.loop],
			flags = loop.turnLane.flags[thing.index];

		return [
			this.head("Iteration of the loop of ", this.threadButton(loop.thread)),
			this.zoomButton(from, until),
			this.facts(from, until, [
				flags & PAGE_TURN_ONGOING
					? ["end", "still in progress when the recording ended"]
					: flags & PAGE_TURN_WHOLE
						? null
						: ["data", "missing at its start or end: at least this long"],
			]),
			this.sumsSection(
				"Where the time went",
				this.recording.sums(loop.thread, from, until),
				until - from,
			),
			this.stackAt(loop.thread, from, until),
		];
	}

	/** @param {string} title @param {Float64Array} sums @param {number} whole */
	sumsSection(title, sums, whole) {
		const entries = sumEntries(sums);

		return entries.length ? stateSection(title, entries, whole) : null;
	}

	/* The longest stack of a thread in a stretch of time. */
	/** @param {number} number @param {number} from @param {number} until */
	stackAt(number, from, until) {
		const { stackLane: lane } = this.recording.threads[number],
			inside = lane && lane.count && from < lane.end && until > lane.begin;
		const first = inside ? lane.indexAt(Math.max(from, lane.begin)) : 0,
			last = inside ? lane.indexAt(Math.max(lane.begin, until - 1), first) : 0;

		/* among many entries the longest is fast to find; among few, the one with the longest part
		 * inside is right */
		let best = inside ? lane.longestOf(first, last) : -1,
			part = 0;

		for (let i = first; inside && last - first < 4096 && i <= last; i++) {
			const ns = Math.min(until, lane.starts[i + 1]) - Math.max(from, lane.starts[i]);

			if (lane.stacks[i] && ns > part) [best, part] = [i, ns];
		}
		return best >= 0 && lane.stacks[best] ? this.stackSection(lane, best) : null;
	}

	/** @param {StackLane} lane @param {number} index */
	stackSection(lane, index, title = "Stack") {
		const { stacks, head } = this.recording,
			stack = lane.stacks[index],
			handler = stacks.handler[stack],
			task = head.texts[lane.tasks[index]];
		const frames = stacks
			.path(stack)
			.reverse()
			.map((node) => ({ ...stacks.frame(node), function: stacks.frame(node).name }));
		const [name, file] = stacks.functions[handler];

		return element(
			"section",
			{},
			element(
				"h4",
				{},
				title,
				handler ? ` · ${roleText(head.roles[stacks.role[stack]])}` : "",
				task ? ` · task ${task}` : "",
			),
			stackElement(frames, handler ? { function: name, file } : null, 12),
			stacks.cut[stack]
				? element("p", { class: "soft small" }, "Outer frames are missing.")
				: null,
		);
	}

	/** @param {FrameThing} thing */
	frame(thing) {
		const [from, until] = thingTimes(this.recording, thing),
			frame = this.recording.stacks.frame(thing.node),
			lane = this.recording.threads[thing.thread].stackLane;

		return [
			this.head(element("code", {}, frame.name)),
			element(
				"p",
				{ class: "place" },
				element("code", {}, (frame.file || "?") + (frame.line ? `:${frame.line}` : "")),
				" in ",
				this.threadButton(thing.thread),
				this.recording
					.sources(thing.node)
					.map((text) => element("code", { class: "source" }, text)),
			),
			this.zoomButton(from, until),
			this.facts(from, until),
			this.sumsSection(
				"What the thread did",
				this.recording.sums(thing.thread, from, until),
				until - from,
			),
			this.stackSection(lane, thing.index, "Stack here"),
		];
	}

	/** @param {ThreadThing} thing @param {View} view */
	thread(thing, view) {
		const thread = this.recording.threads[thing.thread],
			sums = this.recording.sums(thing.thread, view.from, view.until),
			{ figures } = thread;
		const covered = sums.reduce((sum, ns) => sum + ns, 0);

		return [
			this.head(
				threadSwatch(thread.number),
				thread.name,
				thread.loop ? element("span", { class: "badge" }, "event loop") : null,
				thread.poller ? element("span", { class: "badge" }, "poller") : null,
				thread.gone ? element("span", { class: "badge quiet" }, "gone") : null,
			),
			this.sumsSection(
				`In ${view.whole ? "the whole recording" : "the visible range"} ` +
					`(${durationText(view.span)})`,
				sums,
				covered,
			),
			element(
				"section",
				{},
				element("h4", {}, "In the whole recording"),
				element(
					"dl",
					{ class: "facts" },
					[
						...(this.recording.holdsTraced
							? [["held the GIL", manyText(figures.holds, "time")]]
							: []),
						["waited for it", manyText(figures.waits, "time")],
						["was asked to release it", manyText(figures.forced_drops, "time")],
					].flatMap(([name, value]) => [
						element("dt", {}, name),
						element("dd", {}, value),
					]),
				),
			),
		];
	}
}
