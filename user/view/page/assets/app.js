// SPDX-License-Identifier: MIT
/* The timeline: the window shown, the selection, and what is redrawn when they change. */
"use strict";

const MOVE_MS = 220;

class Timeline {
	/** @param {Recording} recording */
	constructor(recording) {
		this.recording = recording;
		this.view = new View(recording.end);
		this.lanes = byId("lanes");
		this.selection = this.hover = /** @type {Thing | null} */ (null);
		this.place = /** @type {PointerPlace | null} */ (null); /* of the pointer */
		this.height = 0;
		this.frame = this.overFrame = /** @type {number | null} */ (null);
		this.moving = 0; /* request of an animation's next frame */
		this.picture = new Picture(byId("picture", HTMLCanvasElement), recording);
		this.over = new Over(byId("over", HTMLCanvasElement), recording);
		this.overview = new Overview(byId("overview-picture", HTMLCanvasElement), recording);
		this.ruler = new Ruler(byId("ruler-picture", HTMLCanvasElement));
		const actions = {
			choose: (/** @type {Thing | null} */ thing) => this.choose(thing),
			show: (/** @type {number} */ from, /** @type {number} */ until) =>
				this.showRoom(from, until),
			chooseStall: (/** @type {number} */ id) => this.chooseStall(id),
			reveal: (/** @type {number} */ thread) => this.reveal(thread),
			redraw: () => this.redraw(),
			zoom: () => this.zoomToSelection(),
		};

		this.tooltip = new Tooltip(recording, byId("tooltip"));
		this.panels = new Panels(this, actions);
		this.search = new Search(
			recording,
			byId("search", HTMLInputElement),
			byId("search-results"),
			actions,
		);
		this.layout = new Layout(recording, byId("labels"), () => this.redraw());
		this.unfolding = new Unfolding(this);
		this.input = new Input(this);
		this.gestures = new Gestures(this);
		this.paper = new Paper(this);
		this.link = new Link(this);
		this.clock = new ClockChoice(byId("clock", HTMLSelectElement), (name) =>
			this.setClock(name),
		);
		this.clock.show("relative");
		this.listen();
		this.resize();
	}

	listen() {
		const again = () => {
			forgetTheme();
			this.resize();
		};

		this.lanes.addEventListener("scroll", () => {
			this.redraw();
			if (this.place) this.point(this.place); /* something else is under the pointer */
		});
		new ResizeObserver(() => this.resize()).observe(this.lanes);
		for (const query of THEME_QUERIES) matchMedia(query).addEventListener("change", again);
		addEventListener("resize", () => this.resize());
	}

	// ── drawing ──────────────────────────────────────────────────────────────────────────────────

	resize() {
		const width = byId("pictures").clientWidth,
			height = this.lanes.clientHeight;

		if (!width || !height) return;
		byId("pictures").style.height = `${height}px`;
		byId("overview-row").style.paddingRight = byId("ruler-row").style.paddingRight =
			`${this.lanes.offsetWidth - this.lanes.clientWidth}px`;
		this.view.width = width;
		this.height = height;
		this.overview.draw(byId("overview").clientWidth, byId("overview").clientHeight);
		this.drawPicture();
	}

	/* Redraws once, on the next frame, for all changes until then. */
	redraw() {
		this.frame ??= requestAnimationFrame(() => this.drawPicture());
	}

	redrawOver() {
		this.overFrame ??= requestAnimationFrame(() => this.drawOver());
	}

	drawPicture() {
		const begin = performance.now(),
			{ view, layout } = this,
			scroll = this.lanes.scrollTop;

		cancelAnimationFrame(this.frame ?? 0);
		this.frame = null;
		this.picture.draw({
			view,
			layout,
			scroll,
			width: view.width,
			height: this.height,
			marked: this.search.nodes ?? this.panels.functions.nodes,
		});
		this.ruler.draw(view, view.width, byId("ruler").clientHeight);
		this.placeWindow();
		this.drawOver();
		performance.measure("gilscope-redraw", { start: begin, end: performance.now() });
	}

	drawOver() {
		const { view, layout, hover, selection, place: pointer } = this;

		cancelAnimationFrame(this.overFrame ?? 0);
		this.overFrame = null;
		this.over.draw({
			view,
			layout,
			scroll: this.lanes.scrollTop,
			width: view.width,
			height: this.height,
			hover,
			selection,
			pointer,
		});
		this.placeRange();
		const label = byId("crosshair-time");

		label.hidden = !pointer;
		if (pointer) {
			label.textContent = tickText(
				view.timeAt(pointer.x),
				Math.min(1e6, view.span / view.width),
			);
			const width = label.offsetWidth,
				left = Math.max(0, pointer.x - width / 2);

			label.style.left = `${Math.min(view.width - width, left)}px`;
		}
	}

	/* The selected range, on the ruler and in the overview. */
	placeRange() {
		const { selection, view } = this,
			range = selection?.kind === "range" ? selection : null;

		for (const [id, from, until] of /** @type {[string, number, number][]} */ ([
			["ruler-range", view.from, view.until],
			["overview-range", 0, view.end],
		])) {
			const mark = byId(id);

			mark.hidden = !range || range.until <= from || range.from >= until;
			if (!range) continue;
			const left = Math.max(from, range.from);

			mark.style.left = `${((left - from) / (until - from)) * 100}%`;
			mark.style.width = `${((Math.min(until, range.until) - left) / (until - from)) * 100}%`;
		}
		byId("ruler-range").replaceChildren(
			element("span", {}, range ? durationText(range.until - range.from) : ""),
		);
	}

	/* How moments are written, everywhere. */
	/** @param {string | undefined} name */
	setClock(name) {
		this.clock.show(name);
		this.panels.rewrite();
		this.redraw();
		this.link.changed();
	}

	placeWindow() {
		const { from, until, end, whole, span } = this.view,
			left = (from / end) * 100,
			right = (until / end) * 100;

		byId("overview-before").style.width = `${left}%`;
		byId("overview-after").style.left = `${right}%`;
		byId("overview-window").style.left = `${left}%`;
		byId("overview-window").style.width = `${right - left}%`;
		byId("overview").classList.toggle("whole", whole);
		byId("overview").setAttribute("aria-valuenow", String(Math.round(left)));
		byId("overview").setAttribute(
			"aria-valuetext",
			`${timeText(from, span / 100)} to ${timeText(until, span / 100)}`,
		);
		byId("window-text").textContent = durationText(span);
	}

	// ── the window ───────────────────────────────────────────────────────────────────────────────

	/** @param {number} from @param {number} until */
	setWindow(from, until) {
		cancelAnimationFrame(this.moving);
		this.view.set(from, until);
		this.redraw();
		this.changed();
	}

	/* Moves there in a short animation, so that the direction is visible. */
	/** @param {number} from @param {number} until */
	moveTo(from, until) {
		const target = new View(this.view.end),
			start = { from: this.view.from, until: this.view.until },
			begin = performance.now();

		target.set(from, until);
		if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
			this.setWindow(target.from, target.until);
			return;
		}
		/** @param {number} now */
		const step = (now) => {
			const passed = Math.min(1, Math.max(0, now - begin) / MOVE_MS),
				eased = 1 - (1 - passed) ** 3;

			this.view.set(
				start.from + (target.from - start.from) * eased,
				start.until + (target.until - start.until) * eased,
			);
			if (passed === 1) this.view.set(target.from, target.until);
			this.drawPicture();
			if (passed < 1) this.moving = requestAnimationFrame(step);
			else this.changed();
		};

		cancelAnimationFrame(this.moving);
		this.target = target;
		this.moving = requestAnimationFrame(step);
	}

	/** @param {number} factor */
	zoomBy(factor) {
		this.setWindow(
			...this.view.zoomed(this.place ? this.place.x : this.view.width / 2, factor),
		);
	}

	/** @param {number} share */
	panBy(share) {
		this.setWindow(
			this.view.from + share * this.view.span,
			this.view.until + share * this.view.span,
		);
	}

	/* The whole recording; from there, back to the previous window. */
	fit() {
		const { from, until, whole, end } = this.view,
			before = this.beforeFit;

		if (!whole) this.beforeFit = { from, until };
		if (!whole || !before) this.moveTo(0, end);
		else this.moveTo(before.from, before.until);
	}

	/* Shows a stretch of time with some room around it. */
	/** @param {number} from @param {number} until */
	showRoom(from, until) {
		const room = Math.max(until - from, LEAST_WINDOW_NS) * 0.25;

		this.moveTo(from - room, until + room);
	}

	/* A range becomes the window, so it need not be chosen any longer. */
	zoomToSelection() {
		const { selection } = this;

		if (selection?.kind === "range") {
			this.choose(null);
			this.moveTo(selection.from, selection.until);
		} else if (selection && selection.kind !== "thread" && selection.kind !== "function")
			this.showRoom(...thingTimes(this.recording, selection));
	}

	/* Selects what is between two instants, while it still changes: choose() ends that. */
	/** @param {number} a @param {number} b */
	selectRange(a, b) {
		const [from, until] = [a, b]
				.map((time) => Math.min(this.view.end, Math.max(0, Math.round(time))))
				.sort((first, second) => first - second),
			begun = this.selection?.kind !== "range";

		/** @type {RangeThing} */
		const range = { kind: "range", from, until };

		if (from === until) return;
		if (begun) this.choose(range);
		this.selection = range;
		this.redrawOver();
		this.changed();
	}

	/* Selects the time of what is chosen; without anything, that of the window. */
	markRange() {
		const { selection, view } = this,
			[from, until] = selection
				? thingTimes(this.recording, selection)
				: [view.from, view.until];

		if (from < until) this.choose({ kind: "range", from, until });
	}

	changed() {
		this.panels.changed();
		this.link.changed();
	}

	// ── the choice ───────────────────────────────────────────────────────────────────────────────

	/** @param {Thing | null} thing */
	choose(thing) {
		const before = this.selection;

		if (thing?.kind === "frame") this.unfolding.show(thing);
		this.selection = thing;
		this.panels.choose(thing, before);
		this.redrawOver();
		this.changed();
	}

	/* Selects a stall of the list, and shows it in the middle third of the window, with the lane of
	 * who held the GIL beside that of the loop. */
	/** @param {number} id */
	chooseStall(id) {
		const stall = this.recording.stalls[id],
			{ start_ns: from, end_ns: until } = stall,
			{ filters } = this.panels.stalls;

		this.choose({ kind: "stall", stall: id });
		this.layout.pin(stall.thread, this.recording.blockerThread(stall));
		this.reveal(stall.thread);
		/* a list of the visible stalls would be down to this one */
		if (!filters.wanted.visible || !filters.isVisible(stall))
			this.moveTo(from - (until - from), until + (until - from));
	}

	/* The next stall of the list, from the selected one or from its begin. */
	/** @param {number} direction */
	stepStall(direction) {
		const { selection } = this,
			ids = this.panels.stalls.idsInOrder(),
			at = selection?.kind === "stall" ? ids.indexOf(selection.stall) : -1,
			next = at < 0 && direction < 0 ? ids.length - 1 : at + direction;

		if (ids.length) this.chooseStall(ids[(next + ids.length) % ids.length]);
	}

	/* Scrolls a thread's lanes into view. */
	/** @param {number} thread */
	reveal(thread) {
		const group = this.layout.groupOfThread(thread),
			top = this.lanes.scrollTop;

		if (!group) return;
		if (!group.open || !group.rows.length) this.layout.toggle(group, true);
		if (group.y < top) this.lanes.scrollTop = group.y;
		else if (group.y + group.height > top + this.height)
			this.lanes.scrollTop = Math.min(group.y, group.y + group.height - this.height);
	}

	escape() {
		if (this.selection) this.choose(null);
		else if (this.search.nodes) this.search.clear();
	}

	/** @param {PointerPlace} place */
	thingUnder({ x, y }) {
		return thingAt(this.recording, this.view, this.layout, x, y + this.lanes.scrollTop);
	}

	/** @param {PointerPlace | null} place */
	point(place) {
		this.place = place;
		this.hover = place && this.thingUnder(place);
		const row = place && this.layout.rowAt(place.y + this.lanes.scrollTop);

		if (place && row && this.hover) {
			const near = this.view.span / this.view.width,
				time = this.view.timeAt(place.x);
			const holder = holderDuring(this.recording, this.hover),
				target =
					holder && this.layout.rowOf("states", this.recording.threads[holder.thread]);

			this.tooltip.show(
				this.hover,
				{ row, from: Math.max(0, time - near), until: time + near },
				{ x: place.clientX, y: place.clientY, above: Boolean(target && target.y > row.y) },
			);
		} else {
			this.tooltip.hide();
		}
		this.redrawOver();
	}

	/** @param {PointerPlace} place */
	click(place) {
		const thing = this.thingUnder(place);

		if (thing?.kind === "fold") this.unfolding.click(thing);
		else this.choose(thing);
	}

	/* Selects a stall near there. The overview is narrow, so a few pixels are allowed. */
	/** @param {number} time */
	clickOverview(time) {
		const near = (this.view.end / this.view.width) * 4,
			stall = this.recording.stalls.find(
				({ start_ns: from, end_ns: until }) => time >= from - near && time < until + near,
			);

		if (stall) this.chooseStall(stall.id);
	}
}
