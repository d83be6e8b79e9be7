// SPDX-License-Identifier: MIT
"use strict";
/*
 * The frames of a flame graph as a table, for people who cannot see it or look for one function.
 * Rows are functions, with all lines and all places together, within the zoomed frame. `total`
 * counts a recursive function once. What is not a function (FlameGraph's `role`) has no row: parts
 * belong to the frame they are in.
 */
const FLAME_TABLE_ROWS = 100;

class FlameTable {
	/** @param {Element} parent @param {FlameGraph} graph */
	constructor(parent, graph) {
		this.graph = graph;
		this.order = /** @type {"self" | "total"} */ ("self");
		this.element = flameElement(parent, "div", "flamegraph-table");
		this.element.hidden = true;
	}

	get hidden() {
		return this.element.hidden;
	}

	set hidden(hidden) {
		this.element.hidden = hidden;
	}

	/* Sums of the functions below a box, largest first. */
	/** @param {FlameBox} box */
	functions(box) {
		const sums = /** @type {Map<string, FlameSum>} */ (new Map()),
			running = /** @type {Set<string>} */ (new Set()),
			role = (/** @type {FlameNodeLike} */ node) => this.graph.options.role(node);
		/** @param {FlameNodeLike} node */
		const visit = (node) => {
			const key = `${node.name}\n${node.file ?? ""}`,
				inside = running.has(key),
				frame = role(node) === "frame";
			const sum = sums.get(key) ?? {
				name: node.name,
				file: node.file ?? "",
				self: 0,
				total: 0,
			};

			if (frame) {
				sums.set(key, sum);
				sum.self += node.children.reduce(
					(own, child) => (role(child) === "part" ? own + child.ns : own),
					node.self,
				);
				sum.total += inside ? 0 : node.ns;
				running.add(key);
			}
			node.children.forEach(visit);
			if (frame && !inside) running.delete(key);
		};

		this.graph.unfolded(box).children.forEach(visit);
		return [...sums.values()].sort(
			(a, b) => b[this.order] - a[this.order] || b.total - a.total,
		);
	}

	update() {
		if (this.hidden) return;
		const box = this.graph.zoomed,
			functions = this.functions(box),
			table = document.createElement("table");

		this.caption(table, functions.length);
		this.head(table);
		const body = flameElement(table, "tbody", "");

		for (const sum of functions.slice(0, FLAME_TABLE_ROWS)) this.row(body, sum, box.node.ns);
		this.element.replaceChildren(table);
	}

	/** @param {HTMLTableElement} table @param {number} count */
	caption(table, count) {
		const shown = Math.min(count, FLAME_TABLE_ROWS),
			by = this.order === "self" ? "self time" : "total time";

		flameElement(
			table,
			"caption",
			"",
			`${shown === count ? `All ${count}` : `The first ${shown} of ${count}`} ` +
				`functions by ${by}`,
		);
	}

	/** @param {HTMLTableElement} table */
	head(table) {
		const row = flameElement(flameElement(table, "thead", ""), "tr", "");

		flameElement(row, "th", "", "Function").scope = "col";
		flameElement(row, "th", "", "File").scope = "col";
		for (const [order, words] of /** @type {["self" | "total", string][]} */ ([
			["self", "Self"],
			["total", "Total"],
		])) {
			const cell = flameElement(row, "th", "flamegraph-number"),
				button = flameElement(cell, "button", "", words);

			cell.scope = "col";
			cell.colSpan = 2;
			cell.setAttribute("aria-sort", this.order === order ? "descending" : "none");
			button.type = "button";
			button.addEventListener("click", () => {
				this.order = order;
				this.update();
				/** @type {HTMLElement | null} */ (
					this.element.querySelector("th[aria-sort=descending] button")
				)?.focus();
			});
		}
	}

	/* The name is a button that searches for it, so that the graph shows where it is. */
	/** @param {HTMLElement} body @param {FlameSum} sum @param {number} whole */
	row(body, sum, whole) {
		const row = flameElement(body, "tr", ""),
			button = flameElement(flameElement(row, "td", ""), "button", "", sum.name);

		button.type = "button";
		button.title = "Search for it in the flame graph";
		button.addEventListener("click", () => this.graph.search.search(sum.name));
		flameElement(row, "td", "flamegraph-file", sum.file);
		for (const ns of [sum.self, sum.total]) {
			flameElement(row, "td", "flamegraph-number", durationText(ns));
			flameElement(row, "td", "flamegraph-number", percentText(ns, whole));
		}
	}
}
