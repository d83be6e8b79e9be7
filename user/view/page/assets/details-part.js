// SPDX-License-Identifier: MIT
/* What all details have. */
"use strict";

class DetailsPart {
	/** @param {Recording} recording @param {Actions} actions */
	constructor(recording, actions) {
		this.recording = recording;
		this.actions = actions;
	}

	/** @param {...Child} children */
	head(...children) {
		return element("div", { class: "details-head" }, element("h3", {}, children));
	}

	/** @param {number} number @param {Child} [words] */
	threadButton(number, words = this.recording.threadText(number)) {
		return element(
			"button",
			{
				type: "button",
				class: "link",
				title: this.recording.threadText(number),
				onclick: () => this.actions.choose({ kind: "thread", thread: number }),
			},
			threadSwatch(number),
			words,
		);
	}

	/* For lists, where names are close together. */
	/** @param {number} number */
	shortButton(number) {
		return this.threadButton(number, this.recording.threads[number].short);
	}
}
