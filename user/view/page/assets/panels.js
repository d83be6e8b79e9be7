// SPDX-License-Identifier: MIT
/* What is below the lanes: the lists, the details and the flame graph. */
"use strict";

const PANEL_MS = 90;

class Panels {
	/** @param {Timeline} timeline @param {Actions} actions */
	constructor(timeline, actions) {
		const { recording } = timeline;

		this.timeline = timeline;
		this.details = new Details(recording, byId("details"), actions);
		this.stalls = new StallList(
			recording,
			byId("stalls"),
			byId("stalls-tools"),
			timeline.view,
			actions,
		);
		this.threads = new ThreadList(recording, byId("threads"), actions);
		this.functions = new FunctionList(recording, byId("functions"), actions);
		this.flame = new WindowFlame(
			recording,
			byId("flame-graph"),
			byId("flame-tools"),
			byId("flame-window"),
			(names) => timeline.unfolding.toggle(names),
		);
		this.tabs = new PanelTabs(() => this.refresh());
		this.lists = new ListTabs(recording, this.stalls);
		byId("details-close").addEventListener("click", () => timeline.choose(null));
	}

	/* After a change of the window or of what is chosen: what takes longer than a frame waits until
	 * it rests. */
	changed() {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.refresh(), PANEL_MS);
	}

	refresh() {
		const { selection, view } = this.timeline;

		if (!selection || selection.kind === "thread" || selection.kind === "range")
			this.details.show(selection, view);
		if (this.stalls.filters.wanted.visible) {
			this.stalls.build();
			this.lists.count();
		}
		if (this.tabs.flameShown)
			this.flame.changed(
				selection?.kind === "range"
					? new Span(selection.from, selection.until, view.end)
					: view,
			);
	}

	/* All moments are written anew. */
	rewrite() {
		const { selection, view } = this.timeline;

		this.stalls.build();
		this.details.show(selection, view);
	}

	/* After folds were opened or closed. */
	refold() {
		this.flame.refold();
	}

	/* Something else is chosen than `before`. */
	/** @param {Thing | null} thing @param {Thing | null} before */
	choose(thing, before) {
		const chosen = thing?.kind === "function" ? thing.function : null;

		if (chosen !== null || (!thing && before?.kind === "function")) {
			this.functions.mark(chosen);
			this.stalls.filter({ blame: chosen });
			this.lists.count();
			this.timeline.redraw();
		}
		this.details.show(thing, this.timeline.view);
		byId("details").scrollTop = 0;
		byId("announcement").textContent =
			(thing && byId("details").querySelector("h3")?.textContent) ?? "";
		byId("details-close").hidden = !thing;
		this.stalls.mark(thing?.kind === "stall" ? thing.stall : null);
		this.threads.mark(thing?.kind === "thread" ? thing.thread : null);
		/* the flame graph is that of a range, too */
		if (thing && thing.kind !== "range") this.tabs.show("details");
	}
}
