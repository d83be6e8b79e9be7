// SPDX-License-Identifier: MIT
"use strict";
/*
 * A flame graph on a canvas, for any tree of {name, file, line, ns, self, children: [...]}: the
 * width of a box is its time, and below it (or above it) is what it called. It looks as
 * flamegraph.css says; what it needs is in the element it is given, and all texts of the tree are
 * shown as text only.
 *
 * const graph = new FlameGraph(element, {
 *            colour: node => "#e69f00",          any CSS colour
 *            title: node => ["a line", …],       what a tooltip says beside name, place and times
 *                                                (optional)
 *            onselect: node => …,                a frame was clicked, or chosen with Enter
 *                                                (optional)
 *            role: node => "frame",              "part": not a function but what its caller did;
 *                                                "group": what functions are grouped by; "fold":
 *                                                frames that are one box (optional)
 *            onfold: node => …,                  a fold was clicked: show() it open, or closed
 *            hidden: node => [{name, file}, …],  the frames in a closed fold, for searches
 *            unfolded: node => root,             a tree of all frames in and below it, for sums
 *                                                (these three where there are folds)
 * });
 * graph.show(root);                           the tree; the frame that was zoomed to stays so, if
 *                                             it is still there
 *
 * Children are drawn in the order they have. Files: flamegraph.js (what is shown), flamelayout.js
 * (where the boxes are), flamesearch.js, flametable.js (the same as text), and format.js of all
 * pages.
 */

const FLAME_ROW_PX = 20;
const FLAME_LEAST_PX = 0.5; // what is narrower is not drawn
const FLAME_ZOOM_MS = 180;

/* <tag class=…>text</tag> in a parent. Everything the component shows is made here, so none of it
 * can be markup. */
/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {Element} parent
 * @param {K} tag
 * @param {string} className
 */
function flameElement(parent, tag, className, text = "") {
	const element = document.createElement(tag);

	if (className) element.className = className;
	element.textContent = text;
	parent.append(element);
	return element;
}

class FlameGraph {
	/** @param {HTMLElement} element @param {FlameOptions} options */
	constructor(element, options) {
		const tools = flameElement(element, "div", "flamegraph-tools");

		this.element = element;
		this.options = {
			title: () => [],
			onselect: () => {},
			role: () => "frame",
			hidden: () => [],
			...options,
		};
		this.layout = new FlameLayout({ name: "", ns: 0, self: 0, children: [] });
		this.zoomed = this.focused = this.layout.root;
		this.hovered = /** @type {FlameBox | null} */ (null);
		this.range = { start: 0, end: 1 };
		this.history = /** @type {FlameBox[]} */ ([]);
		this.upwards = false;
		this.width = this.height = this.rowCount = this.moving = 0;
		this.font = this.ink = this.markColour = "";
		this.forced = false;
		this.widths = /** @type {Map<string, number>} */ (new Map());
		this.inks = /** @type {Map<string, string>} */ (new Map());
		this.trail = flameElement(tools, "nav", "flamegraph-trail");
		this.search = new FlameSearch(this, tools);
		this.flipButton = flameElement(tools, "button", "flamegraph-flip", "Flip");
		this.tableButton = flameElement(tools, "button", "flamegraph-totable", "Table");
		this.view = flameElement(element, "div", "flamegraph-view");
		this.canvas = flameElement(this.view, "canvas", "");
		this.context = penOf(this.canvas);
		this.hoverMark = flameElement(this.view, "div", "flamegraph-hover");
		this.focusMark = flameElement(this.view, "div", "flamegraph-focus");
		this.status = flameElement(element, "output", "flamegraph-status");
		this.table = new FlameTable(element, this);
		this.tip = flameElement(element, "div", "flamegraph-tip");
		this.describe();
		this.listen();
	}

	/* What the elements are, for browsers and screen readers. */
	describe() {
		this.element.classList.add("flamegraph");
		this.trail.setAttribute("aria-label", "Zoomed to");
		this.view.tabIndex = 0;
		this.view.setAttribute("role", "application");
		this.view.setAttribute("aria-roledescription", "flame graph");
		this.view.setAttribute(
			"aria-label",
			"Flame graph. Arrows move from frame to frame, Enter zooms, Escape goes " +
				"back; the table has the same figures.",
		);
		this.status.setAttribute("aria-live", "polite");
		this.tip.setAttribute("aria-hidden", "true");
		for (const button of [this.flipButton, this.tableButton]) {
			button.type = "button";
			button.setAttribute("aria-pressed", "false");
		}
	}

	listen() {
		const redraw = () => this.redraw();

		this.view.addEventListener("mousemove", (event) => this.hover(event));
		this.view.addEventListener("mouseleave", () => this.hover(null));
		this.view.addEventListener("click", (event) => this.click(event));
		this.view.addEventListener("keydown", (event) => this.key(event));
		this.view.addEventListener("focus", () => this.mark());
		this.view.addEventListener("blur", () => this.mark());
		this.flipButton.addEventListener("click", () => this.flip(!this.upwards));
		this.tableButton.addEventListener("click", () => this.showTable(this.table.hidden));
		new ResizeObserver(redraw).observe(this.view);
		for (const query of THEME_QUERIES) matchMedia(query).addEventListener("change", redraw);
	}

	/* Shows another tree, zoomed to the frame with the same path as before. */
	/** @param {FlameNodeLike} root */
	show(root) {
		const zoomed = this.zoomed,
			focused = this.focused;

		this.layout = new FlameLayout(root);
		this.zoomed = this.layout.likest(zoomed);
		this.focused = this.layout.likest(focused);
		this.history = [];
		this.range = { start: this.zoomed.start, end: this.zoomed.end };
		this.search.find();
		this.update();
	}

	/* Zooms to a node of the tree shown. */
	/** @param {FlameNodeLike} node */
	zoom(node) {
		const box = this.layout.boxOf(node);

		if (box) this.zoomTo(box, true);
	}

	/* Back to the previous zoom. False when there is none. */
	back() {
		const before =
			this.history.pop() ?? (this.zoomed === this.layout.root ? null : this.layout.root);

		if (before) this.zoomTo(before, false);
		return Boolean(before);
	}

	/** @param {boolean} upwards */
	flip(upwards) {
		this.upwards = upwards;
		this.flipButton.setAttribute("aria-pressed", String(upwards));
		this.redraw();
		if (upwards) this.view.scrollTop = this.view.scrollHeight;
	}

	/** @param {boolean} shown */
	showTable(shown) {
		this.table.hidden = !shown;
		this.tableButton.setAttribute("aria-pressed", String(shown));
		this.table.update();
	}

	/* Where a node is drawn, in CSS pixels from the upper left of the canvas; null when it is not
	 * drawn. */
	/** @param {FlameNodeLike} node */
	locate(node) {
		const box = this.layout.boxOf(node);

		return box && this.place(box);
	}

	// ── what is shown ────────────────────────────────────────────────────────────────────────────

	/** @param {FlameBox} box @param {boolean} remember */
	zoomTo(box, remember) {
		if (remember && box !== this.zoomed) this.history.push(this.zoomed);
		this.zoomed = box;
		this.focused = box;
		this.update();
	}

	/* After a new tree or a new zoom. */
	update() {
		const from = { ...this.range },
			to = {
				start: this.zoomed.start,
				end: Math.max(this.zoomed.end, this.zoomed.start + 1),
			},
			begin = performance.now();
		const still =
			matchMedia("(prefers-reduced-motion: reduce)").matches ||
			(from.start === to.start && from.end === to.end);
		/** @param {number} now */
		const step = (now) => {
			const passed = still ? 1 : Math.min(1, (now - begin) / FLAME_ZOOM_MS),
				eased = 1 - (1 - Math.max(0, passed)) ** 3;

			this.range =
				passed === 1
					? to
					: {
							start: from.start + (to.start - from.start) * eased,
							end: from.end + (to.end - from.end) * eased,
						};
			this.redraw();
			if (passed < 1) this.moving = requestAnimationFrame(step);
		};

		cancelAnimationFrame(this.moving);
		this.updateTrail();
		this.say(this.focused);
		this.table.update();
		step(begin);
	}

	/* all ▸ … ▸ the three innermost frames down to the zoomed one; each is a link to it. */
	updateTrail() {
		const path = this.layout.path(this.zoomed),
			skipped = Math.max(0, path.length - 5);

		this.trail.replaceChildren();
		path.forEach((box, at) => {
			if (at > 1 && at <= skipped + 1 && skipped) {
				if (at === 2)
					flameElement(this.trail, "span", "flamegraph-skipped", `▸ … ${skipped} …`);
				return;
			}
			if (at)
				flameElement(this.trail, "span", "flamegraph-to", "▸").setAttribute(
					"aria-hidden",
					"true",
				);
			const button = flameElement(this.trail, "button", "", box.node.name);

			button.type = "button";
			if (box === this.zoomed) button.setAttribute("aria-current", "true");
			button.addEventListener("click", () => this.zoomTo(box, true));
		});
		flameElement(
			this.trail,
			"span",
			"flamegraph-zoomed",
			this.zoomed === this.layout.root
				? durationText(this.zoomed.node.ns)
				: `${durationText(this.zoomed.node.ns)}, ` +
						`${percentText(this.zoomed.node.ns, this.layout.root.node.ns)}`,
		);
	}

	/* A tree of what is in and below a box, with all its frames. */
	/** @param {FlameBox} box @returns {FlameNodeLike} */
	unfolded(box) {
		if (this.options.unfolded) return this.options.unfolded(box.node);
		return box.depth ? { name: "", ns: box.node.ns, self: 0, children: [box.node] } : box.node;
	}

	/* The lines of a box's tooltip: name, place, time, and what the component's caller adds. */
	/** @param {FlameBox} box */
	words(box) {
		const { node } = box,
			root = this.layout.root.node,
			lines = [node.name],
			times = [`${durationText(node.ns)} (${exactText(node.ns)})`];

		if (node.file) lines.push(node.line ? `${node.file}:${node.line}` : node.file);
		times.push(`${percentText(node.ns, root.ns)} of all`);
		if (this.zoomed !== this.layout.root)
			times.push(
				`${percentText(Math.min(node.ns, this.zoomed.node.ns), this.zoomed.node.ns)} ` +
					"of what is zoomed to",
			);
		lines.push(times.join(" · "));
		if (node.self && node.self !== node.ns)
			lines.push(`${durationText(node.self)} of it in itself`);
		return [...lines, ...this.options.title(node)];
	}

	/** @param {FlameBox} box */
	say(box) {
		this.status.textContent = this.words(box).join("  ·  ");
	}

	// ── drawing ──────────────────────────────────────────────────────────────────────────────────

	/* The box in CSS pixels; parts outside the range lie outside the canvas. */
	/** @param {FlameBox} box */
	place(box) {
		const scale = this.width / (this.range.end - this.range.start),
			row = this.upwards ? this.rowCount - 1 - box.depth : box.depth;

		return {
			x: (box.start - this.range.start) * scale,
			y: row * FLAME_ROW_PX,
			width: box.node.ns * scale,
			height: FLAME_ROW_PX,
		};
	}

	redraw() {
		const ratio = devicePixelRatio || 1;

		this.width = this.view.clientWidth;
		if (!this.width) return;
		/* measured with the scroll bar, so that its presence does not change the number of rows */
		this.rowCount = this.layout.depthIn(
			this.zoomed,
			(FLAME_LEAST_PX * (this.zoomed.end - this.zoomed.start)) / this.view.offsetWidth,
		);
		this.height = this.rowCount * FLAME_ROW_PX;
		if (
			this.canvas.width !== Math.round(this.width * ratio) ||
			this.canvas.height !== Math.round(this.height * ratio)
		) {
			this.canvas.width = Math.round(this.width * ratio);
			this.canvas.height = Math.round(this.height * ratio);
			this.canvas.style.height = `${this.height}px`;
		}
		this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
		this.context.clearRect(0, 0, this.width, this.height);
		this.readStyle();
		this.drawBelow(this.layout.root, this.width / (this.range.end - this.range.start));
		this.mark();
	}

	readStyle() {
		const style = getComputedStyle(this.view),
			font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;

		if (font !== this.font) this.widths.clear();
		this.font = font;
		this.ink = style.color;
		this.forced = forcedColours(); /* boxes need a line around them then */
		this.markColour = style.getPropertyValue("--mark") || "Mark";
		this.context.font = font;
		this.context.textBaseline = "middle";
		this.inks = new Map();
	}

	/* A box and its callees. A box that is too narrow has no callee wide enough to draw. */
	/** @param {FlameBox} box @param {number} scale */
	drawBelow(box, scale) {
		this.drawBox(box);
		for (const child of this.layout.children(box))
			if (
				child.node.ns * scale >= FLAME_LEAST_PX &&
				child.end > this.range.start &&
				child.start < this.range.end
			)
				this.drawBelow(child, scale);
	}

	/* Only wide boxes have a gap between them: narrow ones would vanish. */
	/** @param {FlameBox} box */
	drawBox(box) {
		const { x, y, width } = this.place(box),
			left = Math.max(0, x),
			right = Math.min(this.width, x + width),
			context = this.context;
		const found = this.search.found.has(box),
			faded = this.search.needle && !found,
			above = box.depth < this.zoomed.depth;

		context.globalAlpha = faded ? 0.35 : above ? 0.55 : 1;
		context.fillStyle = found ? this.markColour : this.options.colour(box.node);
		const ink =
			(faded || above) && !this.forced ? this.ink : this.inkOn(String(context.fillStyle));

		context.fillRect(
			left,
			y,
			Math.max(right - left - (width > 4 ? 1 : 0), FLAME_LEAST_PX),
			FLAME_ROW_PX - 1,
		);
		if (this.forced && right - left > 4) {
			context.strokeStyle = this.ink;
			context.strokeRect(left + 0.5, y + 0.5, right - left - 2, FLAME_ROW_PX - 2);
		}
		if (right - left > 24) {
			context.globalAlpha = faded ? 0.6 : above ? 0.8 : 1;
			context.fillStyle = ink;
			context.fillText(
				this.fitting(this.nameOf(box.node), right - left - 9),
				left + 4,
				y + FLAME_ROW_PX / 2,
			);
		}
		context.globalAlpha = 1;
	}

	/* In its box: a fold shows whether it is open. */
	/** @param {FlameNodeLike} node */
	nameOf(node) {
		if (this.options.role(node) !== "fold") return node.name;
		return `${this.options.hidden(node).length ? "▸" : "▾"} ${node.name}`;
	}

	/* Black or white, whichever is easier to read on this colour; a canvas gives colours back as
	 * #rrggbb. */
	/** @param {string} colour */
	inkOn(colour) {
		let ink = this.inks.get(colour);

		if (!ink) {
			/** @param {number} at */
			const part = (at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2,
				light = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);

			this.inks.set(colour, (ink = light > 0.2 ? "#101418" : "#ffffff"));
		}
		return ink;
	}

	/** @param {string} text */
	widthOf(text) {
		let width = this.widths.get(text);

		if (width === undefined)
			this.widths.set(text, (width = this.context.measureText(text).width));
		return width;
	}

	/* As many whole characters of the text as fit, from its begin and its end; of a qualified name
	 * that does not fit, the last part. */
	/** @param {string} text @param {number} room */
	fitting(text, room) {
		if (this.widthOf(text) <= room) return text;
		const last = text.slice(text.lastIndexOf(".") + 1),
			width = this.widthOf(last);

		if (width <= room) return last;
		for (let count = Math.floor((last.length * room) / width); count > 1; count--) {
			const part = middleCut(last, count);

			if (this.context.measureText(part).width <= room) return part;
		}
		return "";
	}

	/* Outlines of the frame under the mouse and of the focused frame. */
	mark() {
		this.outline(this.hoverMark, this.hovered);
		this.outline(this.focusMark, document.activeElement === this.view ? this.focused : null);
	}

	/** @param {HTMLElement} mark @param {FlameBox | null | undefined} box */
	outline(mark, box) {
		const { x, y, width } =
			box && box.depth < this.rowCount ? this.place(box) : { x: 0, y: 0, width: -1 };
		const left = Math.max(0, x),
			right = Math.min(this.width, x + width);

		mark.hidden = right < left;
		mark.style.transform = `translate(${left}px, ${y}px)`;
		mark.style.width = `${Math.max(2, right - left - 1)}px`;
		mark.style.height = `${FLAME_ROW_PX - 1}px`;
	}

	// ── mouse and keyboard ───────────────────────────────────────────────────────────────────────

	/** @param {MouseEvent} event */
	boxAt(event) {
		const { left, top } = this.canvas.getBoundingClientRect(),
			y = Math.floor((event.clientY - top) / FLAME_ROW_PX);
		const depth = this.upwards ? this.rowCount - 1 - y : y,
			at =
				this.range.start +
				((event.clientX - left) / this.width) * (this.range.end - this.range.start);

		return depth >= 0 && depth < this.rowCount ? this.layout.boxIn(depth, at) : null;
	}

	/** @param {MouseEvent | null} event */
	hover(event) {
		const box = event && this.boxAt(event);

		if (box !== this.hovered) {
			this.hovered = box;
			this.tip.replaceChildren();
			for (const line of box ? this.words(box) : []) flameElement(this.tip, "div", "", line);
			this.mark();
		}
		this.tip.hidden = !box;
		this.view.classList.toggle("flamegraph-over", Boolean(box));
		if (!box) return;
		const { width, height } = this.tip.getBoundingClientRect(),
			left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8)),
			below = event.clientY + 20,
			fits = below + height <= innerHeight;

		this.tip.style.left = `${left}px`;
		this.tip.style.top = `${fits ? below : Math.max(4, event.clientY - height - 12)}px`;
	}

	/** @param {MouseEvent} event */
	click(event) {
		const box = this.boxAt(event);

		if (box) this.choose(box);
	}

	/** @param {FlameBox} box */
	choose(box) {
		this.hovered = null;
		this.tip.hidden = true;
		if (this.options.role(box.node) === "fold") {
			this.focused = box;
			this.options.onfold?.(box.node);
			return;
		}
		this.zoomTo(box, true);
		this.options.onselect(box.node);
	}

	/** @param {FlameBox | null} box */
	focus(box) {
		if (!box) return;
		this.focused = box;
		this.say(box);
		if (box.start < this.range.start || box.end > this.range.end)
			this.range = {
				start: Math.min(box.start, this.range.start),
				end: Math.max(box.end, this.range.end),
			};
		this.redraw();
		this.focusMark.scrollIntoView({ block: "nearest" });
	}

	/** @param {KeyboardEvent} event */
	key(event) {
		const layout = this.layout,
			box = this.focused,
			inwards = this.upwards ? "ArrowUp" : "ArrowDown",
			outwards = this.upwards ? "ArrowDown" : "ArrowUp";
		const actions = {
			[inwards]: () => this.focus(layout.widestChild(box)),
			[outwards]: () => this.focus(box.parent),
			ArrowLeft: () => this.focus(layout.neighbour(box, -1)),
			ArrowRight: () => this.focus(layout.neighbour(box, 1)),
			Home: () => this.zoomTo(layout.root, true),
			Enter: () => this.choose(box),
			Escape: () => this.back(),
		};

		if (!Object.hasOwn(actions, event.key) || event.ctrlKey || event.altKey || event.metaKey)
			return;
		actions[event.key]();
		event.preventDefault();
		event.stopPropagation();
	}
}
