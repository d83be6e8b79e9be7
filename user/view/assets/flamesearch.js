// SPDX-License-Identifier: MIT
"use strict";
/*
 * The search of a flame graph: frames whose function or file contains a text are marked, and so is
 * a closed fold with one inside. Their share is that of all frames, folded or not; nested matches
 * are counted once.
 */
class FlameSearch {
	/** @param {FlameGraph} graph @param {HTMLElement} tools */
	constructor(graph, tools) {
		this.graph = graph;
		this.needle = "";
		this.found = /** @type {Set<FlameBox>} */ (new Set());
		this.ns = 0;
		this.share = flameElement(tools, "output", "flamegraph-found");
		this.box = flameElement(tools, "input", "flamegraph-search");
		this.box.type = "search";
		this.box.placeholder = "Search function or file";
		this.box.setAttribute("aria-label", "Search in the flame graph");
		this.box.addEventListener("input", () => this.search(this.box.value));
		this.box.addEventListener("keydown", (event) => this.key(event));
	}

	/** @param {string} text */
	search(text) {
		this.needle = text.trim().toLowerCase();
		if (this.box.value.trim().toLowerCase() !== this.needle) this.box.value = text;
		this.find();
		this.graph.redraw();
	}

	/* Again, as the tree is another one. */
	find() {
		const { layout, options } = this.graph,
			matches = this.matcher();
		/** @param {{ name: string, file?: string }} node */
		const isFound = (node) => matches(node.name) || Boolean(node.file && matches(node.file));
		/** @param {FlameLayout} tree @param {(node: FlameNodeLike) => boolean} wanted */
		const foundIn = (tree, wanted) =>
			new Set([...tree.all()].filter((box) => box.depth && wanted(box.node)));

		this.found.clear();
		this.ns = 0;
		if (this.needle) {
			const whole = new FlameLayout(this.graph.unfolded(layout.root));

			this.found = foundIn(layout, (node) =>
				options.role(node) === "fold" ? options.hidden(node).some(isFound) : isFound(node),
			);
			this.ns = whole.covered(foundIn(whole, isFound), whole.root);
		}
		this.say();
	}

	/* Does a text contain what is searched for? Most texts are asked for often. */
	matcher() {
		const known = /** @type {Map<string, boolean>} */ (new Map());

		return (/** @type {string} */ text) => {
			let found = known.get(text);

			if (found === undefined)
				known.set(text, (found = text.toLowerCase().includes(this.needle)));
			return found;
		};
	}

	say() {
		const whole = this.graph.layout.root.node.ns;

		this.graph.element.classList.toggle("flamegraph-searching", Boolean(this.needle));
		this.share.textContent = !this.needle
			? ""
			: !this.found.size
				? "not found"
				: `${percentText(this.ns, whole)} matched, ${durationText(this.ns)}`;
	}

	/* To a match: one that is folded is shown first. */
	/** @param {FlameBox} box */
	goTo(box) {
		const { graph } = this;

		if (graph.options.role(box.node) !== "fold") {
			graph.focus(box);
			return;
		}
		graph.choose(box);
		const inside = [...this.found].filter((other) =>
			graph.layout.path(other).includes(graph.focused),
		);

		graph.focus(widestOf(inside) ?? graph.focused);
	}

	/* Enter goes to the widest match; Escape ends the search. */
	/** @param {KeyboardEvent} event */
	key(event) {
		const { graph } = this,
			widest = widestOf([...this.found]);

		if (event.key === "Enter" && widest) {
			graph.view.focus();
			this.goTo(widest);
		} else if (event.key === "Escape") {
			this.search("");
			graph.view.focus();
		} else {
			return;
		}
		event.preventDefault();
		event.stopPropagation();
	}
}
