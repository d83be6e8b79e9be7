// SPDX-License-Identifier: MIT
/* The details of the selection: a stall, a turn, a state, a hold, a frame or a thread; without a
 * selection, the totals of the window. */
"use strict";

class Details {
	constructor(recording, root, actions) {
		this.recording = recording;
		this.root = root;
		this.actions = actions;
		this.stallDetails = new StallDetails(recording, actions);
	}

	show(thing, view) {
		const kinds = {
			stall: () => this.stallDetails.show(this.recording.stalls[thing.stall]),
			hold: () => this.hold(thing),
			state: () => this.state(thing),
			turn: () => this.turn(thing),
			frame: () => this.frame(thing),
			thread: () => this.thread(thing, view),
		};

		this.root.replaceChildren(...(thing ? kinds[thing.kind]() : this.totals(view)));
		this.root.dataset.shows = thing ? thingAddress(thing) : "totals";
	}

	head(...children) {
		return element("div", { class: "details-head" }, element("h3", {}, children));
	}

	/* The facts of a stretch of time. */
	facts(from, until, more = []) {
		const rows = [
			[
				"length",
				durationElement(until - from, { "data-figure": "length" }),
				exactText(until - from),
			],
			["from", timeText(from), exactTimeText(from)],
			["to", timeText(until), exactTimeText(until)],
			...more,
		].filter(Boolean);

		return element(
			"dl",
			{ class: "facts" },
			rows.flatMap(([name, value, exact]) => [
				element("dt", {}, name),
				element(
					"dd",
					{},
					value,
					exact ? element("span", { class: "soft" }, " ", exact) : null,
				),
			]),
		);
	}

	zoomButton(from, until) {
		const room = (until - from) * 0.15;

		return element(
			"button",
			{
				type: "button",
				class: "quiet-button",
				onclick: () => this.actions.show(from - room, until + room),
			},
			"Zoom to it",
		);
	}

	threadButton(number, words = this.recording.threadText(number)) {
		return element(
			"button",
			{
				type: "button",
				class: "link",
				title: this.recording.threadText(number),
				onclick: () => this.actions.choose({ kind: "thread", thread: number }),
			},
			threadSwatch(number),
			words,
		);
	}

	/* For lists, where names are close together. */
	shortButton(number) {
		return this.threadButton(number, this.recording.threads[number].short);
	}

	hold(thing) {
		const lane = laneOf(this.recording, thing),
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
						? "another thread had it before"
						: "the same thread had it before, or nobody certain",
				],
				[
					"end",
					flags & PAGE_HOLD_REQUESTED
						? "let go because another thread asked for it"
						: flags & PAGE_HOLD_WHOLE
							? "let go by itself"
							: "not seen: at least this long",
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
						element("h4", {}, "Waited for it meanwhile"),
						element(
							"ul",
							{ class: "shares plain" },
							waits.map(([waiter, ns]) =>
								element("li", {}, this.shortButton(waiter), durationElement(ns)),
							),
						),
					)
				: null,
			this.stackAt(thread, from, until),
		].filter(Boolean);
	}

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

	state(thing) {
		const lane = laneOf(this.recording, thing),
			state = STATE_NAMES[lane.kinds[thing.index]],
			flags = lane.flags[thing.index],
			call = lane.call(thing.index);
		const [from, until] = thingTimes(this.recording, thing),
			holder = holderDuring(this.recording, thing);

		return [
			this.head(
				stateSwatch(state),
				state,
				element("span", { class: "soft" }, " of "),
				this.threadButton(thing.thread),
			),
			element("p", { class: "soft" }, stateLook(state).doing),
			this.zoomButton(from, until),
			this.facts(from, until, [
				call !== null
					? ["asleep in", element("code", {}, this.recording.callText(call))]
					: null,
				flags & PAGE_STATE_GC ? ["garbage", "a collection was running"] : null,
				flags & PAGE_STATE_THROTTLED
					? ["quota", "the cgroup's CPU quota was used up"]
					: null,
				flags & PAGE_STATE_SAMPLED
					? ["evidence", "python and native told apart by samples only"]
					: null,
			]),
			state === "gil_wait" ? this.holders(holder) : null,
			this.stackAt(thing.thread, from, until),
		].filter(Boolean);
	}

	/* Who had the GIL during a wait. */
	holders(holder) {
		if (!holder)
			return element("p", { class: "note" }, "Who held the GIL meanwhile is not certain.");
		const sums = new Map(),
			lane = this.recording.gils[holder.gil].holdLane;

		for (const [index, ns] of holder.all)
			sums.set(lane.holder(index), (sums.get(lane.holder(index)) || 0) + ns);
		const longest = new Map(
			[...sums.keys()].map((thread) => [
				thread,
				holder.all.find(([index]) => lane.holder(index) === thread)[0],
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
							this.threadButton(thread),
							durationElement(ns, { "data-figure": "holder" }),
							element(
								"button",
								{
									type: "button",
									class: "link",
									onclick: () =>
										this.actions.choose({
											kind: "hold",
											gil: holder.gil,
											index: longest.get(thread),
										}),
								},
								"its hold",
							),
						),
					),
			),
		);
	}

	turn(thing) {
		const [from, until] = thingTimes(this.recording, thing),
			loop = this.recording.loops[thing.loop],
			flags = laneOf(this.recording, thing).flags[thing.index];

		return [
			this.head("Turn of the loop of ", this.threadButton(loop.thread)),
			this.zoomButton(from, until),
			this.facts(from, until, [
				flags & PAGE_TURN_ONGOING
					? ["end", "it had not ended when the recording did"]
					: flags & PAGE_TURN_WHOLE
						? null
						: ["evidence", "missing at an end: at least this long"],
			]),
			this.sumsSection(
				"Where the time went",
				this.recording.sums(loop.thread, from, until),
				until - from,
			),
			this.stackAt(loop.thread, from, until),
		].filter(Boolean);
	}

	sumsSection(title, sums, whole) {
		const states = Object.fromEntries([...sums].map((ns, state) => [STATE_NAMES[state], ns]));
		const entries = stateEntries(states);

		return entries.length ? stateSection(title, entries, whole) : null;
	}

	/* The longest stack of a thread in a stretch of time. */
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
				? element("p", { class: "soft small" }, "There are more frames further out.")
				: null,
		);
	}

	frame(thing) {
		const [from, until] = thingTimes(this.recording, thing),
			frame = this.recording.stacks.frame(thing.node),
			lane = laneOf(this.recording, thing);

		return [
			this.head(element("code", {}, frame.name)),
			element(
				"p",
				{ class: "place" },
				element("code", {}, (frame.file || "?") + (frame.line ? `:${frame.line}` : "")),
				" in ",
				this.threadButton(thing.thread),
			),
			this.zoomButton(from, until),
			this.facts(from, until),
			this.sumsSection(
				"What the thread did meanwhile",
				this.recording.sums(thing.thread, from, until),
				until - from,
			),
			this.stackSection(lane, thing.index, "Stack here"),
		];
	}

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
				thread.gone ? element("span", { class: "badge quiet" }, "gone") : null,
			),
			this.sumsSection(
				`In ${view.whole ? "the whole recording" : "the chosen window"} ` +
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
						["held the GIL", manyText(figures.holds, "time")],
						["waited for it", manyText(figures.waits, "time")],
						["was asked to let go", manyText(figures.forced_drops, "time")],
					].flatMap(([name, value]) => [
						element("dt", {}, name),
						element("dd", {}, value),
					]),
				),
			),
		];
	}

	// ── totals ───────────────────────────────────────────────────────────────────────────────────

	totals(view) {
		const { recording } = this,
			threads = recording
				.threadsInOrder()
				.map((thread) => [thread, recording.sums(thread.number, view.from, view.until)]);
		const states = STATE_NAMES.filter((_, state) => threads.some(([, sums]) => sums[state]));

		if (!recording.lanesComplete)
			/* sums of half a recording would be wrong */
			return [element("p", { class: "note" }, "Reading the recording …")];
		const shown = threads.filter(([, sums]) => sums.some(Boolean)).slice(0, 200);

		return [
			this.head(
				view.whole ? "The whole recording" : "The chosen window",
				element("span", { class: "soft" }, " · "),
				durationElement(view.span, { "data-figure": "window" }),
				element(
					"span",
					{ class: "soft small" },
					` · ${exactTimeText(view.from)} to ${exactTimeText(view.until)}`,
				),
			),
			...recording.loops.map((loop) => this.loopTotals(loop, view)),
			...recording.gils.map((gil) => this.gilTotals(gil, view)),
			shown.length
				? element(
						"section",
						{},
						element("h4", {}, "Threads"),
						this.threadTable(shown, states),
					)
				: element("p", { class: "note" }, "No Python thread was seen in this window."),
			shown.length < threads.length && threads.length > 200
				? element(
						"p",
						{ class: "soft small" },
						`${countText(threads.length - shown.length)} more`,
					)
				: null,
		].filter(Boolean);
	}

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

			part.style.background = thread < 0 ? "#888888" : threadColour(thread);
			part.style.flexGrow = ns / view.span;
			bar.append(part);
		}
		const rest = element("span", {
			class: "free",
			title: `nobody, or not known ${durationText(view.span - held)}`,
		});

		rest.style.flexGrow = Math.max(0, 1 - held / view.span);
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
							thread < 0 ? "other threads" : this.shortButton(thread),
							durationElement(ns),
							element("span", { class: "soft" }, percentText(ns, view.span)),
						),
					),
			),
			view.whole
				? element(
						"p",
						{ class: "soft small" },
						`waited for ${percentText(gil.figures.contended_ns, view.span)} ` +
							`of the time · ${manyText(gil.figures.handoffs, "change")} of ` +
							`holder · ${manyText(gil.figures.forced, "forced drop")}`,
					)
				: null,
		);
	}

	loopTotals(loop, view) {
		const stalls = this.recording.stalls.filter(
			(stall) =>
				stall.loop === loop.number &&
				stall.start_ns < view.until &&
				stall.end_ns > view.from,
		);
		const worst = stalls.reduce(
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
				this.shortButton(loop.thread),
				": ",
				stalls.length
					? [`${manyText(stalls.length, "stall")}, the longest `, durationElement(worst)]
					: "no stall",
				view.whole && turns
					? [
							` · ${manyText(turns, "turn")}: half of them up to `,
							durationElement(turn.p50_ns),
							", 99 % up to ",
							durationElement(turn.p99_ns),
						]
					: null,
			),
		);
	}

	threadTable(threads, states) {
		return figureTable(
			"Time of the threads in the window, by state",
			[
				"thread",
				"",
				...states.map((state) =>
					element(
						"span",
						{ class: "state", title: stateLook(state).doing },
						stateSwatch(state),
						state,
					),
				),
			],
			threads.map(([thread, sums]) => [
				this.shortButton(thread.number),
				stateBar(
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
