// SPDX-License-Identifier: MIT
"use strict";
/*
 * The trees that a flame graph's page carries (user/view/flames.h), and one tree made of those that are chosen: what has the same callers is one, the leading
 * frames and lines are put together if that is wanted, and where there are several states the innermost frame says which.
 */

/* Columns of a graph's nodes, from number 1 on; number 0 is the root. */
function readFlames(bytes, frames)
{
	const reader = new ColumnReader(bytes), count = reader.count();
	const parent = reader.numbers(count, new Uint32Array(count + 1), 1), frame = reader.numbers(count, new Uint32Array(count + 1), 1);
	const self = reader.numbers(count, new Float64Array(count + 1), 1), depth = new Uint16Array(count + 1);

	for (let i = 1; i <= count; i++) {
		if (parent[i] >= i || frame[i] >= frames)
			throw new DamagedData("The page's stacks make no tree.");
		parent[i] = i - 1 - parent[i];
		depth[i] = depth[parent[i]] + 1;
	}
	return {count, parent, frame, self, depth};
}

class FlameTree {
	/* `frames` as in the page's head; `leading`: what the frames of the first rows are, from the outermost on. */
	constructor(frames, leading) {
		const numbers = new Map();

		this.frames = frames;
		this.leading = leading;
		/* the first frame that is the same function, whatever its line */
		this.functions = frames.map(([name, file], number) => {
			const key = `${name}\n${file}`;

			if (!numbers.has(key))
				numbers.set(key, number);
			return numbers.get(key);
		});
	}

	/*
	 * The root of a tree for FlameGraph. `graphs`: [{state, flames: readFlames(), …}, …]; `together`: {threads, handlers, lines}. Every node says in `kind` what
	 * it is: root, process, thread, handler, note (in place of a stack), application, library or state.
	 */
	merge(graphs, name, together) {
		const nodes = [], root = this.node(nodes, {name, file: "", line: 0, kind: "root"});

		for (const {state, flames} of graphs)
			this.add(nodes, root, flames, graphs.length > 1 ? state : null, together);
		/* what was called has a larger number than its caller */
		for (const node of nodes.reverse()) {
			node.ns += node.self;
			if (node.parent)
				node.parent.ns += node.ns;
			node.children.sort((a, b) => b.ns - a.ns || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.line - b.line));
		}
		return root;
	}

	node(nodes, what) {
		const node = {...what, ns: 0, self: 0, children: [], parent: null, below: new Map()};

		nodes.push(node);
		return node;
	}

	child(nodes, parent, key, what) {
		let node = parent.below.get(key);

		if (!node) {
			node = this.node(nodes, what());
			node.parent = parent;
			parent.children.push(node);
			parent.below.set(key, node);
		}
		return node;
	}

	add(nodes, root, {count, parent, frame, self, depth}, state, together) {
		const made = new Array(count + 1);

		made[0] = root;
		for (let i = 1; i <= count; i++) {
			const kind = this.leading[depth[i] - 1], above = made[parent[i]];

			if ((kind === "thread" && together.threads) || (kind === "handler" && together.handlers))
				made[i] = above;
			else
				made[i] = this.child(nodes, above, together.lines ? this.functions[frame[i]] : frame[i], () => this.frame(frame[i], kind, together.lines));
			if (!self[i])
				continue;
			const last = state ? this.child(nodes, made[i], state, () => ({name: state, file: "", line: 0, kind: "state"})) : made[i];

			last.self += self[i];
		}
	}

	frame(number, leading, anyLine) {
		const [name, file, line, application] = this.frames[number];

		return {name, file, line: anyLine ? 0 : line, kind: leading || (!file ? "note" : application ? "application" : "library")};
	}
}
