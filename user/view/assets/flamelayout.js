// SPDX-License-Identifier: MIT
"use strict";
/*
 * Where the boxes of a flame graph are: a row for each depth, in each the boxes from left to right. Their unit is the nanosecond, so zooming changes nothing
 * here. A box is {node, parent, depth, at (its place in its row), start, end}.
 */
class FlameLayout {
	constructor(root) {
		this.rows = [];
		this.boxes = new Map();
		for (let row = [{node: root, parent: null, depth: 0, at: 0, start: 0, end: root.ns}]; row.length; row = this.below(row)) {
			this.rows.push(row);
			for (const box of row)
				this.boxes.set(box.node, box);
		}
		this.root = this.rows[0][0];
	}

	below(row) {
		const next = [];

		for (const parent of row) {
			let start = parent.start;

			for (const node of parent.node.children) {
				if (!node.ns)
					continue;
				next.push({node, parent, depth: parent.depth + 1, at: next.length, start, end: start + node.ns});
				start += node.ns;
			}
		}
		return next;
	}

	boxOf(node) {
		return this.boxes.get(node) ?? null;
	}

	/* Place in its row of the first box that ends after a point. */
	firstEndingAfter(depth, point) {
		const row = this.rows[depth];
		let low = 0, high = row.length;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (row[middle].end > point)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	}

	boxIn(depth, point) {
		const box = this.rows[depth]?.[this.firstEndingAfter(depth, point)];

		return box && box.start <= point ? box : null;
	}

	children(box) {
		const below = this.rows[box.depth + 1] ?? [], found = [];

		if (below.length)
			for (let at = this.firstEndingAfter(box.depth + 1, box.start); at < below.length && below[at].parent === box; at++)
				found.push(below[at]);
		return found;
	}

	widestChild(box) {
		return this.children(box).reduce((best, child) => best && best.node.ns >= child.node.ns ? best : child, null);
	}

	neighbour(box, step) {
		return this.rows[box.depth][box.at + step] ?? null;
	}

	/* From the root to the box. */
	path(box) {
		const path = [];

		for (let at = box; at; at = at.parent)
			path.unshift(at);
		return path;
	}

	/* The box of this tree that has the path of a box of another one, or as much of it as there is. */
	likest(other) {
		let here = this.root;

		for (const {node} of this.path(other).slice(1)) {
			const next = this.children(here).find(child => child.node.name === node.name && child.node.file === node.file && child.node.line === node.line);

			if (!next)
				break;
			here = next;
		}
		return here;
	}

	/* How many rows a box and what is below it take, when what is shorter than `least` does not count. */
	depthIn(box, least) {
		for (let depth = box.depth + 1; depth < this.rows.length; depth++) {
			const row = this.rows[depth];
			let at = this.firstEndingAfter(depth, box.start);

			while (at < row.length && row[at].start < box.end && row[at].node.ns < least)
				at++;
			if (at >= row.length || row[at].start >= box.end)
				return depth;
		}
		return this.rows.length;
	}

	/* Time of these boxes inside of another one, nothing twice: what has one of them above it does not count. */
	covered(boxes, inside) {
		let ns = 0;

		for (const box of boxes) {
			let above = box.parent;

			while (above && !boxes.has(above))
				above = above.parent;
			if (!above)
				ns += Math.max(0, Math.min(box.end, inside.end) - Math.max(box.start, inside.start));
		}
		return ns;
	}
}
