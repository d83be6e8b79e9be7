// SPDX-License-Identifier: MIT
/* Search for functions, files and threads. Matches are marked in the flame lanes and can be stepped
 * through. */
"use strict";

const RESULTS_MOST = 40;

class Search {
	/**
	 * @param {Recording} recording
	 * @param {HTMLInputElement} input
	 * @param {HTMLElement} results
	 * @param {Actions} actions
	 */
	constructor(recording, input, results, actions) {
		this.recording = recording;
		this.input = input;
		this.results = results;
		this.actions = actions;
		this.words = "";
		this.found = /** @type {FoundName[]} */ ([]);
		/* 1 for the nodes found, and for the stacks with one, while a search is active */
		this.nodes = this.stackMatches = /** @type {Uint8Array | null} */ (null);
		this.place = /** @type {FoundPlace | null} */ (null);
		this.times = /** @type {Float64Array | null} */ (null);
		this.at = -1;
		input.addEventListener("input", () => this.search(input.value));
		input.addEventListener("keydown", (event) => this.key(event));
		input.addEventListener("focus", () => this.open(Boolean(input.value)));
		input.addEventListener("blur", () => setTimeout(() => this.open(false), 150));
	}

	/* Every function's time in stacks, and which stacks of which threads there are; computed on
	 * first use. */
	functionTimes() {
		const { stacks, threads, lanesComplete } = this.recording;

		if (this.times && this.timesComplete) return this.times;
		const byStack = new Float64Array(stacks.count),
			byNode = new Float64Array(stacks.parent.length);

		for (const { stackLane: lane } of threads)
			for (let i = 0; i < lane.count; i++) byStack[lane.stacks[i]] += lane.lengthOf(i);
		for (let stack = 1; stack < stacks.count; stack++)
			byNode[stacks.node[stack]] += byStack[stack];
		for (let node = byNode.length - 1; node > 0; node--)
			byNode[stacks.parent[node]] += byNode[node];
		this.times = new Float64Array(stacks.functions.length);
		for (let node = 1; node < byNode.length; node++)
			if (!this.isRecursion(node)) this.times[stacks.function[node]] += byNode[node];
		this.timesComplete = lanesComplete;
		return this.times;
	}

	/* Is the node's function among its callers as well? Then its time is counted there. */
	/** @param {number} node */
	isRecursion(node) {
		const { parent, function: numbers } = this.recording.stacks;

		for (let here = parent[node], steps = 0; here && steps < 128; here = parent[here], steps++)
			if (numbers[here] === numbers[node]) return true;
		return false;
	}

	/** @param {string} text */
	search(text) {
		const words = text.trim().toLowerCase(),
			{ stacks, threads } = this.recording;

		this.words = words;
		this.found = [];
		this.nodes = null;
		this.at = -1;
		if (words) {
			const matching = new Uint8Array(stacks.functions.length),
				times = this.functionTimes(),
				files = /** @type {Map<string, number[]>} */ (new Map());

			stacks.functions.forEach(([name, file], number) => {
				const inName = name.toLowerCase().includes(words),
					inFile = file.toLowerCase().includes(words);

				matching[number] = number && (inName || inFile) ? 1 : 0;
				if (number && inName)
					this.found.push({
						kind: "function",
						thread: -1,
						functions: [number],
						name,
						place: placeText(file, stacks.functions[number][2]),
						title: file,
						ns: times[number],
					});
				if (number && inFile) files.set(file, [...(files.get(file) || []), number]);
			});
			for (const [file, functions] of files)
				this.found.push({
					kind: "file",
					thread: -1,
					functions,
					name: baseName(file),
					place: file,
					title: file,
					ns: functions.reduce((most, number) => Math.max(most, times[number]), 0),
				});
			this.found.sort((a, b) => (b.ns ?? 0) - (a.ns ?? 0));
			this.found.unshift(
				...threads
					.filter((thread) =>
						`${thread.name} ${thread.comm} ${thread.tid}`.toLowerCase().includes(words),
					)
					.map((thread) => ({
						kind: /** @type {const} */ ("thread"),
						thread: thread.number,
						functions: [],
						name: thread.name,
						place: "",
						title: thread.name,
						ns: null,
					})),
			);
			this.mark(matching);
		}
		this.show();
		this.actions.redraw();
	}

	/* Marks the nodes of these functions, and the stacks that contain one. */
	/** @param {Uint8Array} matching */
	mark(matching) {
		const { stacks } = this.recording,
			inherited = new Uint8Array(stacks.parent.length),
			nodes = new Uint8Array(stacks.parent.length);

		for (let node = 1; node < nodes.length; node++) {
			nodes[node] = matching[stacks.function[node]];
			inherited[node] = nodes[node] | inherited[stacks.parent[node]];
		}
		this.nodes = nodes;
		this.stackMatches = Uint8Array.from(stacks.node, (node) => inherited[node]);
	}

	show() {
		const shown = this.found.slice(0, RESULTS_MOST),
			more = this.found.length - shown.length;

		this.results.replaceChildren(
			...shown.map((result, place) =>
				element(
					"div",
					{
						class: "result",
						role: "option",
						id: `result-${place}`,
						"data-kind": result.kind,
						title: result.title,
						"aria-selected": "false",
						onpointerdown: (/** @type {Event} */ event) => event.preventDefault(),
						onclick: () => this.choose(place),
					},
					element("span", { class: "badge quiet" }, result.kind),
					element("code", { class: "result-name" }, result.name),
					element("span", { class: "result-place" }, result.place),
					result.ns === null
						? null
						: element("span", { class: "result-time" }, durationText(result.ns)),
				),
			),
			element(
				"div",
				{ class: "result-note" },
				this.found.length
					? (more > 0 ? `${countText(more)} more · ` : "") +
							"Enter: next place in time · Shift+Enter: the one before · Esc: end"
					: "No matches.",
			),
		);
		this.open(Boolean(this.words));
	}

	/** @param {boolean} open */
	open(open) {
		this.results.hidden = !open;
		this.input.setAttribute("aria-expanded", String(open));
	}

	/** @param {number} place */
	point(place) {
		const options = this.results.querySelectorAll("[role=option]");

		this.at = options.length ? (place + options.length) % options.length : -1;
		options.forEach((option, number) =>
			option.setAttribute("aria-selected", String(number === this.at)),
		);
		options[this.at]?.scrollIntoView({ block: "nearest" });
		this.input.setAttribute("aria-activedescendant", this.at < 0 ? "" : `result-${this.at}`);
	}

	/** @param {number} place */
	choose(place) {
		const result = this.found[place];

		this.point(place);
		if (result.kind === "thread") {
			this.actions.choose({ kind: "thread", thread: result.thread });
			this.actions.reveal(result.thread);
			this.open(false);
			return;
		}
		const matching = new Uint8Array(this.recording.stacks.functions.length);

		for (const number of result.functions) matching[number] = 1;
		this.mark(matching);
		this.go(1, true);
		this.actions.redraw();
	}

	/* Goes to the next place in time where a match begins; the first time, to the longest one. */
	/** @param {number} direction */
	go(direction, longest = false) {
		const places = this.nodes ? this.places() : [];

		if (!places.length) return;
		const place = longest
			? places.reduce((best, other) =>
					other.until - other.from > best.until - best.from ? other : best,
				)
			: this.placeBeside(places, direction);

		this.place = place;
		this.actions.choose(this.thing(place));
		this.actions.show(place.from, place.until);
	}

	/* The next one (1) or the one before (-1) in time; behind the last one, the first. */
	/** @param {FoundPlace[]} places @param {number} direction */
	placeBeside(places, direction) {
		const from = this.place ? this.place.from : -1,
			ahead = places.filter((place) =>
				direction > 0 ? place.from > from : place.from < from,
			);

		if (direction > 0) return ahead[0] || places[0];
		return ahead[ahead.length - 1] || places[places.length - 1];
	}

	/* Where in time the matches are: stretches of a thread without a break, in order. */
	places() {
		const places = /** @type {FoundPlace[]} */ ([]);

		for (const { number, stackLane: lane } of this.recording.threads) {
			let open = /** @type {FoundPlace | null} */ (null);

			for (let i = 0; i < lane.count; i++) {
				if (!this.stackMatches?.[lane.stacks[i]]) {
					open = null;
				} else if (open) {
					open.until = lane.starts[i + 1];
				} else {
					open = {
						thread: number,
						index: i,
						from: lane.starts[i],
						until: lane.starts[i + 1],
					};
					places.push(open);
				}
			}
		}
		return places.sort((a, b) => a.from - b.from);
	}

	/* The outermost match there. */
	/** @param {FoundPlace} place @returns {FrameThing} */
	thing({ thread, index }) {
		const { stacks, threads } = this.recording,
			path = stacks.path(threads[thread].stackLane.stacks[index]);

		return {
			kind: "frame",
			thread,
			index,
			node: path.find((node) => this.nodes?.[node]) ?? 0,
		};
	}

	/** @param {KeyboardEvent} event */
	key(event) {
		if (event.key === "ArrowDown" || event.key === "ArrowUp")
			this.point(this.at + (event.key === "ArrowDown" ? 1 : this.at < 0 ? 0 : -1));
		else if (event.key === "Enter" && this.at >= 0 && !this.results.hidden) {
			this.choose(this.at);
			this.open(false);
		} else if (
			event.key === "Enter" &&
			this.found?.[0]?.kind === "thread" &&
			!this.results.hidden
		)
			this.choose(0);
		else if (event.key === "Enter") this.go(event.shiftKey ? -1 : 1, !this.place);
		else if (event.key === "Escape") {
			this.clear();
			this.input.blur();
		} else return;
		event.preventDefault();
		event.stopPropagation();
	}

	clear() {
		this.input.value = "";
		this.place = null;
		this.search("");
		this.open(false);
	}
}
