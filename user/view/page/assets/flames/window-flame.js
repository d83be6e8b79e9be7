// SPDX-License-Identifier: MIT
/*
 * The flame graph of the chosen window. A thread has two lanes of stacks: one of where it stands
 * (facts off the CPU and while it waits for the GIL) and one of the clock's samples, each of which
 * stands for all the thread's time on a CPU since the previous one. Which stack a stretch of time
 * belongs to was decided when the lanes were made (user/analysis/attribution.h); here the lane of
 * states is laid over them. Time that neither lane has a stack for has none.
 */
"use strict";

/** @type {[value: string, words: string, states: StateName[]][]} */
const FLAME_CHOICES = [
	["running", "on a CPU", STATE_NAMES.filter((_, state) => STATE_RUNS[state])],
	["all", "all states", STATE_NAMES],
	...STATE_NAMES.map(
		(name) => /** @type {[string, string, StateName[]]} */ ([name, stateLabel(name), [name]]),
	),
];

const ON_CPU_MASK = STATE_RUNS.reduce((mask, runs, state) => mask | (runs << state), 0);

/* Nanoseconds by stack and state of a thread in a window: a map of stacks (0: none) to sums by
 * state. `mask`: a bit for every state included. */
/**
 * @param {{ stateLane: StateLane, stackLane: StackLane, clockLane: StackLane }} thread
 * @param {number} from
 * @param {number} until
 * @param {number} mask
 */
function windowStacks(thread, from, until, mask) {
	const byStack = /** @type {Map<number, Float64Array>} */ (new Map()),
		{ stateLane: states, stackLane, clockLane } = thread,
		known = new Float64Array(STATE_NAMES.length);
	/** @param {number} stack @param {number} state @param {number} ns */
	const add = (stack, state, ns) => {
		let sums = byStack.get(stack);

		if (!sums) byStack.set(stack, (sums = new Float64Array(STATE_NAMES.length)));
		sums[state] += ns;
		known[state] += ns;
	};

	if (!states || !states.count) return byStack;
	overlay(states, stackLane, from, until, mask & ~ON_CPU_MASK, add);
	overlay(states, clockLane, from, until, mask & ON_CPU_MASK, add);
	states
		.sums(from, until)
		.forEach(
			(ns, state) =>
				(mask >> state) & 1 && ns > known[state] && add(0, state, ns - known[state]),
		);
	return byStack;
}

/* Calls add(stack, state, ns) for the time that each entry of a lane of stacks shares with each
 * state of the mask. */
/**
 * @param {Lane} states
 * @param {StackLane} lane
 * @param {number} from
 * @param {number} until
 * @param {number} mask
 * @param {(stack: number, state: number, ns: number) => void} add
 */
function overlay(states, lane, from, until, mask, add) {
	const begin = Math.max(from, states.begin, lane.begin),
		end = Math.min(until, states.end, lane.end),
		sums = new Float64Array(STATE_NAMES.length);

	if (!mask || !lane.count || end <= begin) return;
	for (
		let j = lane.indexAt(begin), first = states.indexAt(begin);
		j < lane.count && lane.starts[j] < end;
		j++
	) {
		const a = Math.max(begin, lane.starts[j]),
			b = Math.min(end, lane.starts[j + 1]),
			last = states.indexAt(b, first);

		sums.fill(0);
		states.addBetween(a, b, first, last, sums);
		for (let state = 0; state < sums.length; state++)
			if (sums[state] && (mask >> state) & 1) add(lane.stacks[j], state, sums[state]);
		first = last;
	}
}

class WindowFlame {
	/**
	 * @param {Recording} recording
	 * @param {HTMLElement} root
	 * @param {HTMLElement} tools
	 * @param {HTMLElement} title
	 * @param {(names: string) => void} onfold a fold is to be opened or closed
	 */
	constructor(recording, root, tools, title, onfold) {
		this.recording = recording;
		this.title = title;
		this.tree = new WindowTree(recording);
		this.graph = new FlameGraph(root, {
			colour: (/** @type {WindowNode} */ node) => this.colour(node),
			title: (/** @type {WindowNode} */ node) => this.words(node),
			role: (/** @type {WindowNode} */ node) => node.role,
			onfold: (/** @type {WindowNode} */ { fold }) => fold && onfold(fold.names),
			hidden: (/** @type {WindowNode} */ node) => this.hidden(node),
			unfolded: (/** @type {WindowNode} */ node) => this.tree.unfolded(node),
		});
		this.states = element(
			"select",
			{ id: "flame-states", "aria-label": "States", onchange: () => this.update() },
			FLAME_CHOICES.map(([value, words]) => element("option", { value }, words)),
		);
		this.threads = element(
			"select",
			{ id: "flame-threads", "aria-label": "Threads", onchange: () => this.update() },
			element("option", { value: "" }, "all threads"),
			recording
				.threadsInOrder()
				.map((thread) => element("option", { value: thread.number }, thread.name)),
		);
		tools.prepend(this.states, this.threads);
	}

	/** @param {WindowNode} node */
	colour(node) {
		const owner = this.ownerOf(node);

		return forcedColours()
			? themeValue(OWNER_FORCED[owner][0])
			: ownerColour(owner, node.fold ? "" : node.name, darkTheme());
	}

	/** @param {WindowNode} node */
	ownerOf({ fold, node }) {
		const { stacks } = this.recording;

		if (fold) return OWNER_FOLDED;
		return node > 0 ? stacks.owners[stacks.function[node]] : OWNER_UNKNOWN;
	}

	/* The frames in a closed fold, for a search. */
	/** @param {WindowNode} node */
	hidden({ fold }) {
		const { functions } = this.recording.stacks;

		if (!fold || this.recording.folds.isOpen(fold.names)) return [];
		return [...fold.functions].map((number) => ({
			name: functions[number][0],
			file: functions[number][1],
		}));
	}

	/* Updates once the window rests, not for every step of a drag. */
	/** @param {Span} view */
	changed(view) {
		this.view = view;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.update(), 120);
	}

	/** @param {Span} view */
	show(view) {
		this.view = view;
		this.update();
	}

	/* After folds were opened or closed. */
	refold() {
		if (!this.shown) return;
		this.shown = this.tree.fold();
		this.graph.show(this.shown);
	}

	update() {
		if (!this.view || !this.recording.lanesComplete) return;
		const { from, until } = this.view,
			names = FLAME_CHOICES.find(([value]) => value === this.states.value)?.[2] ?? [];
		const mask = names.reduce((bits, name) => bits | (1 << STATE_NAMES.indexOf(name)), 0),
			only = this.threads.value;
		const threads = this.recording.threads.filter(
			(thread) => only === "" || thread.number === Number(only),
		);

		clearTimeout(this.timer);
		this.title.textContent = this.view.whole
			? "of the whole recording"
			: `of ${durationText(until - from)}`;
		this.tree.collect(threads, from, until, mask);
		this.shown = this.tree.fold();
		this.graph.show(this.shown);
	}

	/** @param {WindowNode} node */
	words(node) {
		const { stacks } = this.recording,
			number = node.node > 0 ? stacks.function[node.node] : 0;

		return [
			...(number ? this.recording.sources(node.node).map((text) => plainText(text)) : []),
			...(number ? [ownerText(stacks, number)] : []),
			...(node.fold ? [foldCounts(stacks, node.fold.functions)] : []),
			...sumEntries(node.states).map(
				([state, ns]) => `${stateLabel(state)} ${durationText(ns)}`,
			),
		];
	}
}

/* The frames of a stack from the outermost in, with their nodes. As in the report, [cut] stands for
 * frames further out and [no stack] for an unknown stack. */
/** @param {Stacks} stacks @param {number} stack */
function stackFrames(stacks, stack) {
	/** @type {[frame: { name: string, file: string, line: number }, node: number][]} */
	const frames = stacks.path(stack).map((node) => [stacks.frame(node), node]);

	if (!stack || stacks.cut[stack])
		frames.unshift([{ name: stack ? "[cut]" : "[no stack]", file: "", line: 0 }, 0]);
	return frames;
}
