// SPDX-License-Identifier: MIT
"use strict";
/*
 * The trees in a flame graph's page (user/view/flames.h), and one tree merged from the selected
 * ones: frames with the same callers are merged, leading frames and lines are merged on request,
 * and with several states the innermost frame is the state. A node's children are merged when they
 * are first used.
 */

/* A graph's nodes, numbered from 1; number 0 is the root: {frame, self, ns, depth, first, below}.
 * The children of node n are below[first[n]] to below[first[n + 1] - 1]. */
/** @param {Uint8Array} bytes @param {number} frames */
function readFlames(bytes, frames) {
	const reader = new ColumnReader(bytes),
		count = reader.count();
	const parent = reader.numbers(count, new Uint32Array(count + 1), 1),
		frame = reader.numbers(count, new Uint32Array(count + 1), 1);
	const self = reader.numbers(count, new Float64Array(count + 1), 1),
		ns = self.slice(),
		depth = new Uint16Array(count + 1);

	for (let i = 1; i <= count; i++) {
		if (parent[i] >= i || frame[i] >= frames)
			throw new DamagedData("The page's stacks make no tree.");
		parent[i] = i - 1 - parent[i];
		depth[i] = depth[parent[i]] + 1;
	}
	for (let i = count; i > 0; i--) ns[parent[i]] += ns[i];
	return { frame, self, ns, depth, ...flameChildren(parent, count) };
}

/* Nodes ordered by parent, and where each parent's begin in that order. */
/** @param {Uint32Array} parent @param {number} count */
function flameChildren(parent, count) {
	const first = new Uint32Array(count + 2),
		below = new Uint32Array(count),
		fill = new Uint32Array(count + 1);

	for (let i = 1; i <= count; i++) first[parent[i] + 1]++;
	for (let i = 0; i <= count; i++) {
		first[i + 1] += first[i];
		fill[i] = first[i];
	}
	for (let i = 1; i <= count; i++) below[fill[parent[i]]++] = i;
	return { first, below };
}

/* A node for FlameGraph. `kind`: root, process, thread, handler, note (in place of a stack),
 * frame or state. */
class FlameNode {
	/**
	 * @param {FlameTree} tree
	 * @param {{ name: string, file: string, line: number, kind: string, owner: number,
	 *           code?: string[] }} what
	 * @param {number} ns
	 * @param {FlameSource[]} sources
	 */
	constructor(tree, what, ns, sources) {
		this.name = what.name;
		this.file = what.file;
		this.line = what.line;
		this.kind = what.kind;
		this.owner = what.owner; /* of a frame: PAGE_OWNER_… */
		this.code = what.code ?? [];
		this.tree = tree;
		this.ns = ns;
		this.sources = sources;
		this.self = 0;
		this.parts = /** @type {FlameNode[] | null} */ (null);
		for (const [flames, number] of sources) this.self += tree.several ? 0 : flames.self[number];
	}

	/** @returns {FlameNode[]} */
	get children() {
		return (this.parts ??= this.tree.childrenOf(this));
	}
}

class FlameTree {
	/*
	 * `graphs`: [{state, flames: readFlames(), …}, …]; `frames` as in the page's head; `leading`:
	 * what the frames of the first rows are, from the outermost on; `together`: {threads, handlers,
	 * lines}; `functions`: flameFunctions().
	 */
	/**
	 * @param {{ state: StateName, flames: Flames }[]} graphs
	 * @param {FlamePageHead["frames"]} frames
	 * @param {string[]} leading
	 * @param {number[]} functions
	 * @param {{ threads: boolean, handlers: boolean, lines: boolean }} together
	 */
	constructor(graphs, frames, leading, functions, together) {
		this.frames = frames;
		this.leading = leading;
		this.functions = functions;
		this.together = together;
		this.several = graphs.length > 1;
		this.states = new Map(graphs.map(({ state, flames }) => [flames, state]));
		this.graphs = graphs;
	}

	/** @param {string} name */
	root(name) {
		const ns = this.graphs.reduce((sum, { flames }) => sum + flames.ns[0], 0);

		return new FlameNode(
			this,
			{ name, file: "", line: 0, kind: "root", owner: 0 },
			ns,
			this.spread(this.graphs.map(({ flames }) => [flames, 0])),
		);
	}

	/** @param {Flames} flames @param {number} number */
	kind(flames, number) {
		return this.leading[flames.depth[number] - 1];
	}

	/* Are all nodes of this kind merged away, so that their children move up to their callers? */
	/** @param {string | undefined} kind */
	dropped(kind) {
		return (
			(kind === "thread" && this.together.threads) ||
			(kind === "handler" && this.together.handlers)
		);
	}

	/* Adds to these nodes of graphs those of their descendants that stand in for hidden nodes. */
	/** @param {FlameSource[]} sources */
	spread(sources) {
		if (this.together.threads || this.together.handlers)
			for (let i = 0; i < sources.length; i++) {
				const [flames, number] = sources[i];

				for (let at = flames.first[number]; at < flames.first[number + 1]; at++)
					if (this.dropped(this.kind(flames, flames.below[at])))
						sources.push([flames, flames.below[at]]);
			}
		return sources;
	}

	/** @param {FlameNode} shape */
	childrenOf({ kind, sources }) {
		const found = /** @type {Map<number, FlameChild>} */ (new Map()),
			states = /** @type {Map<Flames, number>} */ (new Map());

		if (kind === "state") return [];
		for (const [flames, number] of sources) {
			for (let at = flames.first[number]; at < flames.first[number + 1]; at++)
				this.collect(found, flames, flames.below[at]);
			if (this.several && flames.self[number])
				states.set(flames, (states.get(flames) ?? 0) + flames.self[number]);
		}
		const nodes = [...found.values()].map(
			(child) => new FlameNode(this, this.frame(child), child.ns, this.spread(child.sources)),
		);

		for (const [flames, ns] of states)
			nodes.push(this.state(this.states.get(flames) ?? "", ns));
		return nodes.sort((a, b) => b.ns - a.ns || byName(a, b));
	}

	/** @param {Map<number, FlameChild>} found @param {Flames} flames @param {number} number */
	collect(found, flames, number) {
		const kind = this.kind(flames, number),
			frame = flames.frame[number],
			key = this.together.lines ? this.functions[frame] : frame;

		if (this.dropped(kind)) return;
		const child = found.get(key) ?? { frame, kind, ns: 0, sources: [] };

		found.set(key, child);
		child.ns += flames.ns[number];
		child.sources.push([flames, number]);
	}

	/** @param {FlameChild} shape */
	frame({ frame, kind }) {
		const [name, file, line, owner, decorator, source] = this.frames[frame],
			lines = this.together.lines;

		return {
			name,
			file,
			line: lines ? 0 : line,
			code: [decorator, lines || source === decorator ? "" : source].filter(Boolean),
			kind: kind || (file ? "frame" : "note"),
			owner,
		};
	}

	/** @param {string} name @param {number} ns */
	state(name, ns) {
		const node = new FlameNode(
			this,
			{ name, file: "", line: 0, kind: "state", owner: 0 },
			ns,
			[],
		);

		node.self = ns;
		return node;
	}
}

/* For every frame the first one of the same function, whatever its line. */
/** @param {FlamePageHead["frames"]} frames */
function flameFunctions(frames) {
	const numbers = new Map();

	return frames.map(([name, file], number) => {
		const key = `${name}\n${file}`;

		if (!numbers.has(key)) numbers.set(key, number);
		return numbers.get(key);
	});
}
