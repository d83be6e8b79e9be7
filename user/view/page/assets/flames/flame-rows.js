// SPDX-License-Identifier: MIT
/*
 * What a flame lane shows of a stack, row by row: a node, or the negative number of a fold
 * (folds.js). An open fold keeps its row, and its frames are below it. With `whole` nothing is
 * folded.
 */
"use strict";

class FlameRows {
	/** @param {Folds} folds @param {StackLane} lane */
	constructor(folds, lane) {
		this.folds = folds;
		this.stacks = folds.stacks;
		this.version = folds.version;
		this.known = /** @type {Map<number, FoldedRows>} */ (new Map());
		this.wholes = /** @type {Map<number, number[]>} */ (new Map());
		this.used = usedStacks(lane.stacks, this.stacks.count);
		this.usual = this.usualDepth(lane);
		this.deepest = this.used.reduce(
			(most, stack) => Math.max(most, this.stacks.depth[this.stacks.node[stack]]),
			0,
		);
		this.opened = 0;
	}

	/* The depth that is enough for 98 % of the time: a rare deep stack does not reserve rows that
	 * are mostly empty. */
	/** @param {StackLane} lane */
	usualDepth(lane) {
		const times = new Float64Array(this.stacks.count),
			byDepth = /** @type {number[]} */ ([]);
		let rest = 0;

		for (let i = 0; i < lane.count; i++) times[lane.stacks[i]] += lane.lengthOf(i);
		for (const stack of this.used) {
			const depth = this.folds.depthOf(stack);

			byDepth[depth] = (byDepth[depth] || 0) + times[stack];
			rest += times[stack] / 50;
		}
		let depth = byDepth.length - 1;

		for (; depth > 0 && (byDepth[depth] || 0) <= rest; depth--) rest -= byDepth[depth] || 0;
		return Math.max(0, depth);
	}

	/* How many rows there are to see; `most` of them where nothing was opened. */
	/** @param {boolean} whole @param {number} most */
	depth(whole, most) {
		this.refresh();
		return whole ? this.deepest : Math.max(this.opened, Math.min(this.usual, most));
	}

	/* After folds were opened or closed. */
	refresh() {
		if (this.version === this.folds.version) return;
		this.version = this.folds.version;
		this.known.clear();
		this.opened = 0;
		for (const stack of this.folds.opened.size ? this.used : []) {
			const { path } = this.rows(stack);

			if (path.some((row) => row < 0 && this.isOpen(row)))
				this.opened = Math.max(this.opened, path.length);
		}
	}

	/** @param {number} row of a fold */
	isOpen(row) {
		return this.folds.isOpen(this.folds.list[-row].names);
	}

	/** @param {number} stack @returns {FoldedRows} */
	rows(stack) {
		this.refresh();
		let rows = this.known.get(stack);

		if (!rows) this.known.set(stack, (rows = this.makeRows(stack)));
		return rows;
	}

	/** @param {number} stack @returns {FoldedRows} */
	makeRows(stack) {
		const path = /** @type {number[]} */ ([]),
			folded = /** @type {Map<number, number[]>} */ (new Map());
		let above = 0;

		for (const part of this.folds.path(stack)) {
			above = typeof part === "number" ? part : -this.folds.numberOf(above, part);
			path.push(above);
			if (typeof part === "number") continue;
			folded.set(above, part.nodes);
			if (this.isOpen(above)) path.push(...part.nodes);
		}
		return { path, folded };
	}

	/* The rows of a stack, outermost first. */
	/** @param {number} stack @param {boolean} whole */
	path(stack, whole) {
		if (!whole) return this.rows(stack).path;
		let path = this.wholes.get(stack);

		if (!path) this.wholes.set(stack, (path = this.stacks.path(stack)));
		return path;
	}

	/* The nodes that a stack has in a fold. */
	/** @param {number} stack @param {number} row */
	nodesOf(stack, row) {
		return this.rows(stack).folded.get(row) ?? [];
	}

	/* Is what a row shows marked: a node, or one in a closed fold? */
	/** @param {number} stack @param {number} row @param {Uint8Array} marked */
	isMarked(stack, row, marked) {
		return row > 0
			? Boolean(marked[row])
			: !this.isOpen(row) && this.nodesOf(stack, row).some((node) => marked[node]);
	}

	/* The names of the closed fold that hides a node of a stack; null: it is shown. */
	/** @param {number} stack @param {number} node */
	hides(stack, node) {
		for (const [row, nodes] of this.rows(stack).folded)
			if (nodes.includes(node) && !this.isOpen(row)) return this.folds.list[-row].names;
		return null;
	}
}

/* The numbers of the stacks that occur, without the unknown one. */
/** @param {Uint32Array} numbers @param {number} count */
function usedStacks(numbers, count) {
	const seen = new Uint8Array(count),
		used = [];

	for (let i = 0; i < numbers.length; i++) seen[numbers[i]] = 1;
	for (let stack = 1; stack < count; stack++) if (seen[stack]) used.push(stack);
	return used;
}
