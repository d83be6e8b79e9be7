// SPDX-License-Identifier: MIT
"use strict";
/*
 * Where the boxes of a flame graph are. Their unit is the nanosecond, so zooming changes nothing
 * here. A box is {node, parent, depth, at (its place among its parent's children), start, end}.
 * Boxes are created on demand: of a million frames few are ever wide enough to be seen.
 */
/* The order of frames by name, then by line. */
/** @param {FlameNodeLike} a @param {FlameNodeLike} b */
function byName(a, b) {
	if (a.name !== b.name) return a.name < b.name ? -1 : 1;
	return (a.line ?? 0) - (b.line ?? 0);
}

/* The one with the most time, the first of equals; null of none. */
/** @param {FlameBox[]} boxes */
function widestOf(boxes) {
	let widest = boxes[0] ?? null;

	for (const box of boxes) if (box.node.ns > widest.node.ns) widest = box;
	return widest;
}

class FlameLayout {
	/** @param {FlameNodeLike} root */
	constructor(root) {
		/** @type {FlameBox} */
		this.root = {
			node: root,
			parent: null,
			depth: 0,
			at: 0,
			start: 0,
			end: root.ns,
			below: null,
		};
	}

	/* From left to right. */
	/** @param {FlameBox} box */
	children(box) {
		if (box.below) return box.below;
		let start = box.start;

		box.below = [];
		for (const node of box.node.children) {
			if (!node.ns) continue;
			box.below.push({
				node,
				parent: box,
				depth: box.depth + 1,
				at: box.below.length,
				start,
				end: start + node.ns,
				below: null,
			});
			start += node.ns;
		}
		return box.below;
	}

	/* Every box, callers first. */
	*all() {
		const rest = [this.root];

		for (let box; (box = rest.pop());) {
			yield box;
			for (const child of this.children(box)) rest.push(child);
		}
	}

	/** @param {FlameNodeLike} node */
	boxOf(node) {
		for (const box of this.all()) if (box.node === node) return box;
		return null;
	}

	/* The box at a depth that covers a point. */
	/** @param {number} depth @param {number} point */
	boxIn(depth, point) {
		let box = /** @type {FlameBox | null} */ (this.root);

		while (box && box.depth < depth) box = this.childOver(box, point);
		return box && box.start <= point && box.end > point ? box : null;
	}

	/** @param {FlameBox} box @param {number} point */
	childOver(box, point) {
		const below = this.children(box);
		let low = 0,
			high = below.length;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (below[middle].end > point) high = middle;
			else low = middle + 1;
		}
		return low < below.length && below[low].start <= point ? below[low] : null;
	}

	/** @param {FlameBox} box */
	widestChild(box) {
		return widestOf(this.children(box));
	}

	/* The next box at the same depth, to the right (1) or to the left (-1). */
	/** @param {FlameBox} box @param {number} step @returns {FlameBox | null} */
	neighbour(box, step) {
		if (!box.parent) return null;
		const beside = this.children(box.parent)[box.at + step];

		if (beside) return beside;
		for (
			let above = this.neighbour(box.parent, step);
			above;
			above = this.neighbour(above, step)
		)
			if (this.children(above).length)
				return this.children(above).at(step > 0 ? 0 : -1) ?? null;
		return null;
	}

	/* From the root to the box. */
	/** @param {FlameBox} box */
	path(box) {
		const path = [box];

		for (let at = box.parent; at; at = at.parent) path.unshift(at);
		return path;
	}

	/* The box of this tree with the path of a box of another tree, or the longest part of it that
	 * exists. */
	/** @param {FlameBox} other */
	likest(other) {
		let here = this.root;

		for (const { node } of this.path(other).slice(1)) {
			const next = this.children(here).find(
				(child) =>
					child.node.name === node.name &&
					child.node.file === node.file &&
					child.node.line === node.line,
			);

			if (!next) break;
			here = next;
		}
		return here;
	}

	/* The number of rows down to the deepest box below this one, ignoring boxes shorter than
	 * `least`. */
	/** @param {FlameBox} box @param {number} least */
	depthIn(box, least) {
		const rest = [box];
		let deepest = box.depth;

		for (let next; (next = rest.pop());) {
			deepest = Math.max(deepest, next.depth);
			for (const child of this.children(next)) if (child.node.ns >= least) rest.push(child);
		}
		return deepest + 1;
	}

	/* Time of these boxes inside another one. A box below another of them is not counted again. */
	/** @param {Set<FlameBox>} boxes @param {FlameBox} inside */
	covered(boxes, inside) {
		let ns = 0;

		for (const box of boxes) {
			let above = box.parent;

			while (above && !boxes.has(above)) above = above.parent;
			if (!above)
				ns += Math.max(
					0,
					Math.min(box.end, inside.end) - Math.max(box.start, inside.start),
				);
		}
		return ns;
	}
}
