// SPDX-License-Identifier: MIT
/* Opening and closing folds: one by a click on it, all by a button or a key; and what must be drawn
 * again then. */
"use strict";

class Unfolding {
	/** @param {Timeline} timeline */
	constructor(timeline) {
		this.timeline = timeline;
		this.folds = timeline.recording.folds;
		for (const button of this.buttons())
			button.addEventListener("click", () => this.setAll(!this.folds.all));
	}

	buttons() {
		return [byId("unfold"), byId("flame-unfold")];
	}

	/** @param {boolean} all */
	setAll(all) {
		if (this.folds.all === all && !this.folds.opened.size) return;
		this.folds.setAll(all);
		this.timeline.layout.unfold(all);
		for (const button of this.buttons()) button.setAttribute("aria-pressed", String(all));
		this.changed();
	}

	/** @param {string} names @param {boolean} [open] */
	toggle(names, open) {
		this.folds.toggle(names, open);
		this.timeline.layout.place();
		this.changed();
	}

	/* The one that is clicked. */
	/** @param {FoldThing} thing */
	click({ fold }) {
		this.toggle(this.folds.list[fold].names);
		this.timeline.point(null);
	}

	/* Opens the fold that a frame is in. */
	/** @param {FrameThing} thing */
	show({ thread, index, node }) {
		const { rows, stackLane } = this.timeline.recording.threads[thread],
			group = this.timeline.layout.groupOfThread(thread),
			names = group?.whole ? null : rows.hides(stackLane.stacks[index], node);

		if (names) this.toggle(names, true);
	}

	changed() {
		this.timeline.redraw();
		this.timeline.panels.refold();
		this.timeline.link.changed();
	}
}
