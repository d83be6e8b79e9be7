// SPDX-License-Identifier: MIT
/*
 * The flame graph of the chosen window. A thread has two lanes of stacks: one of where it stands
 * (facts off the CPU and while it waits for the GIL) and one of the clock's samples, each of which
 * stands for all the thread's time on a CPU since the previous one. Which stack a stretch of time
 * belongs to was decided when the lanes were made (user/analysis/attribution.h); here the lane of
 * states is laid over them. Time that neither lane has a stack for has none.
 */
"use strict";

/** @type {any[][]} */
const FLAME_CHOICES = [
	["running", "running (python, native)", STATE_NAMES.filter((_, state) => STATE_RUNS[state])],
	["all", "all states", STATE_NAMES],
	...STATE_NAMES.map((name) => [name, name, [name]]),
];

const ON_CPU_MASK = STATE_RUNS.reduce((mask, runs, state) => mask | (runs << state), 0);

/* Nanoseconds by stack and state of a thread in a window: a map of stacks (0: none) to sums by
 * state. `mask`: a bit for every state included. */
function windowStacks(thread, from, until, mask) {
	const byStack = new Map(),
		{ stateLane: states, stackLane, clockLane } = thread,
		known = new Float64Array(STATE_NAMES.length);
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
	constructor(recording, root, tools, title) {
		this.recording = recording;
		this.title = title;
		this.graph = new FlameGraph(root, {
			colour: (node) =>
				node.state
					? stateLook(node.state).colour
					: functionColour(node.name, node.file, darkTheme()),
			title: (node) => this.words(node),
			role: (node) => (node.node < 0 ? "group" : "frame"),
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
		tools.append(this.states, this.threads);
	}

	/* Updates once the window rests, not for every step of a drag. */
	changed(view) {
		this.view = view;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.update(), 120);
	}

	show(view) {
		this.view = view;
		this.update();
	}

	update() {
		if (!this.view || !this.recording.lanesComplete) return;
		const { from, until } = this.view,
			names = FLAME_CHOICES.find(([value]) => value === this.states.value)[2];
		const mask = names.reduce((bits, name) => bits | (1 << STATE_NAMES.indexOf(name)), 0),
			only = this.threads.value;
		const threads = this.recording.threads.filter(
			(thread) => only === "" || thread.number === Number(only),
		);

		clearTimeout(this.timer);
		this.title.textContent = this.view.whole
			? "of the whole recording"
			: `of ${durationText(until - from)}`;
		this.root = this.tree(threads, from, until, mask);
		this.graph.show(this.root);
	}

	tree(threads, from, until, mask) {
		const root = flameNode("all", "", 0, 0),
			nodes = new Map();

		for (const thread of threads) {
			const top =
				threads.length > 1 ? flameNode(thread.name, "", 0, -1 - thread.number) : root;

			for (const [stack, sums] of windowStacks(thread, from, until, mask)) {
				const ns = sums.reduce((all, more) => all + more, 0);

				if (ns)
					this.add(top, threads.length > 1 ? thread.number : 0, stack, sums, ns, nodes);
			}
			if (top !== root && top.ns) {
				root.children.push(top);
				addTo(root, top.states, top.ns);
			}
		}
		sortFlames(root);
		return root;
	}

	add(top, thread, stack, sums, ns, nodes) {
		let above = top;

		addTo(top, sums, ns);
		for (const [frame, node] of stackFrames(this.recording.stacks, stack)) {
			const key = (thread * 2 + this.recording.stacks.cut[stack]) * 2 ** 32 + node;
			let here = nodes.get(key);

			if (!here) {
				nodes.set(key, (here = flameNode(frame.name, frame.file, frame.line, node)));
				above.children.push(here);
			}
			addTo(here, sums, ns);
			above = here;
		}
		above.self += ns;
	}

	words(node) {
		return [...node.states]
			.map((ns, state) => [STATE_NAMES[state], ns])
			.filter(([, ns]) => ns)
			.sort((a, b) => b[1] - a[1])
			.map(([state, ns]) => `${state} ${durationText(ns)}`);
	}
}

/* The frames of a stack from the outermost in, with their nodes. As in the report, [cut] stands for
 * frames further out and [no stack] for an unknown stack. */
function stackFrames(stacks, stack) {
	const label = (name) => [[{ name, file: "", line: 0 }, 0]];

	return stack
		? [
				...(stacks.cut[stack] ? label("[cut]") : []),
				...stacks.path(stack).map((node) => [stacks.frame(node), node]),
			]
		: label("[no stack]");
}

function flameNode(name, file, line, node) {
	return {
		name,
		file,
		line,
		node,
		ns: 0,
		self: 0,
		children: [],
		states: new Float64Array(STATE_NAMES.length),
	};
}

function addTo(node, sums, ns) {
	node.ns += ns;
	for (let state = 0; state < sums.length; state++) node.states[state] += sums[state];
}

/* By name, so that a frame stays where it is when the window moves. */
function sortFlames(root) {
	const open = [root];

	while (open.length) {
		const node = open.pop();

		node.children.sort((a, b) =>
			a.node < 0 || b.node < 0
				? b.ns - a.ns
				: a.name < b.name
					? -1
					: a.name > b.name
						? 1
						: a.line - b.line,
		);
		open.push(...node.children);
	}
}
