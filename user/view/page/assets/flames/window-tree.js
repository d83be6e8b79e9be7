// SPDX-License-Identifier: MIT
/*
 * The tree of a window's stacks, for FlameGraph: with folds (folds.js), and without them for the
 * table and for the share of a search, whose sums must not depend on what is folded.
 */
"use strict";

class WindowTree {
	/** @param {Recording} recording */
	constructor(recording) {
		this.recording = recording;
		this.samples = /** @type {WindowSample[]} */ ([]);
		this.root = windowNode("all", "", 0, 0, "group");
	}

	/**
	 * @param {Thread[]} threads
	 * @param {number} from
	 * @param {number} until
	 * @param {number} mask
	 */
	collect(threads, from, until, mask) {
		this.samples = [];
		for (const thread of threads)
			for (const [stack, sums] of windowStacks(thread, from, until, mask)) {
				const ns = sums.reduce((all, more) => all + more, 0);

				if (ns)
					this.samples.push({
						thread: threads.length > 1 ? thread : null,
						stack,
						sums,
						ns,
					});
			}
	}

	/* The tree that is shown. */
	fold() {
		this.root = this.grow(this.samples, (sample) => this.steps(sample, !this.folds.all));
		return this.root;
	}

	get folds() {
		return this.recording.folds;
	}

	/* A node of the shown tree, with all the frames that are folded in and below it. */
	/** @param {WindowNode} node */
	unfolded(node) {
		if (node === this.root)
			return this.grow(this.samples, (sample) => this.steps(sample, false));
		const through = /** @type {Map<WindowSample, WindowStep[]>} */ (new Map());

		for (const sample of this.samples) {
			const inside = this.within(sample, node);

			if (inside) through.set(sample, inside);
		}
		return this.grow([...through.keys()], (sample) => through.get(sample) ?? []);
	}

	/* The frames of a stack from a node of the shown tree on; null: it is not in it. */
	/** @param {WindowSample} sample @param {WindowNode} node */
	within(sample, node) {
		const steps = this.steps(sample, !this.folds.all);
		let here = /** @type {WindowNode | undefined} */ (this.root);

		for (let at = 0; here && at < steps.length; at++) {
			here = here.below.get(steps[at].key);
			if (here !== node) continue;
			const first = steps.slice(at).find((step) => step.role !== "fold"),
				outside = steps[at].nodes?.[0] ?? first?.node ?? 0,
				all = this.steps(sample, false);

			return all.slice(all.findIndex((step) => step.node === outside));
		}
		return null;
	}

	/** @param {WindowSample[]} samples @param {(sample: WindowSample) => WindowStep[]} stepsOf */
	grow(samples, stepsOf) {
		const root = windowNode("all", "", 0, 0, "group");

		for (const sample of samples) {
			let here = root;

			addTo(root, sample);
			for (const step of stepsOf(sample)) {
				here = this.below(here, step);
				addTo(here, sample);
			}
			here.self += sample.ns;
		}
		arrange(root);
		return root;
	}

	/** @param {WindowNode} above @param {WindowStep} step */
	below(above, step) {
		let here = above.below.get(step.key);

		if (!here) {
			here = windowNode(step.name, step.file, step.line, step.node, step.role);
			above.below.set(step.key, here);
		}
		if (step.nodes) {
			const { length } = step.nodes,
				fold = (here.fold ??= {
					names: step.name,
					functions: new Set(),
					least: length,
					most: length,
				});

			fold.least = Math.min(fold.least, length);
			fold.most = Math.max(fold.most, length);
			for (const node of step.nodes) fold.functions.add(this.recording.stacks.function[node]);
		}
		return here;
	}

	/* What a stack adds to the tree, from the outermost box in. */
	/** @param {WindowSample} sample @param {boolean} folded @returns {WindowStep[]} */
	steps({ thread, stack }, folded) {
		const { stacks } = this.recording,
			steps = /** @type {WindowStep[]} */ ([]);
		/** @param {number} node */
		const add = (node) => {
			const { name, file, line } = stacks.frame(node);

			steps.push({ key: node, name, file, line, node, role: "frame" });
		};

		if (thread) steps.push(groupStep(thread.name, -1 - thread.number, "group"));
		if (!stack) steps.push(groupStep("[no stack]", 0, "frame"));
		else if (stacks.cut[stack]) steps.push(groupStep("[cut]", 0, "frame"));
		for (const part of folded ? this.folds.path(stack) : stacks.path(stack)) {
			if (typeof part === "number") {
				add(part);
				continue;
			}
			steps.push({ ...groupStep(part.names, 0, "fold"), nodes: part.nodes });
			if (this.folds.isOpen(part.names)) part.nodes.forEach(add);
		}
		return steps;
	}
}

/**
 * @param {string} name
 * @param {number} node
 * @param {WindowStep["role"]} role
 * @returns {WindowStep}
 */
function groupStep(name, node, role) {
	return { key: `${role} ${name} ${node}`, name, file: "", line: 0, node, role };
}

/**
 * @param {string} name
 * @param {string} file
 * @param {number} line
 * @param {number} node
 * @param {WindowNode["role"]} role
 * @returns {WindowNode}
 */
function windowNode(name, file, line, node, role) {
	return {
		name,
		file,
		line,
		node,
		role,
		ns: 0,
		self: 0,
		children: [],
		below: new Map(),
		states: new Float64Array(STATE_NAMES.length),
	};
}

/** @param {WindowNode} node @param {WindowSample} sample */
function addTo(node, { sums, ns }) {
	node.ns += ns;
	for (let state = 0; state < sums.length; state++) node.states[state] += sums[state];
}

/* The children of every node: threads by time, frames by name, so that a frame stays where it is
 * when the window moves. And the names of folds, with their number of frames. */
/** @param {WindowNode} root */
function arrange(root) {
	const open = [root];

	for (let node; (node = open.pop());) {
		node.children = [...node.below.values()];
		for (const child of node.children)
			if (child.fold) {
				const { names, least, most } = child.fold;

				child.name = `${names} (${least < most ? `${least}–${most}` : most})`;
			}
		node.children.sort((a, b) =>
			a.role === "group" || b.role === "group" ? b.ns - a.ns : byName(a, b),
		);
		open.push(...node.children);
	}
}
