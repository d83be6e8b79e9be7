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

	/* Several on one page lead to the same thread: `as` says what this one is about, to those who
	 * hear it. */
	/** @param {number} number @param {string} [as] @param {Child} [words] */
	threadButton(number, as = "", words = this.recording.threadText(number)) {
		return element(
			"button",
			{
				type: "button",
				class: "link",
				title: this.recording.threadText(number),
				"aria-label": `${words}${as && `, ${as}`}`,
				onclick: () => this.actions.choose({ kind: "thread", thread: number }),
			},
			threadSwatch(number),
			words,
		);
	}

	/* For lists, where names are close together. */
	/** @param {number} number @param {string} as */
	shortButton(number, as) {
		return this.threadButton(number, as, this.recording.threads[number].short);
	}

	/* The facts of a stretch of time. */
	/** @param {number} from @param {number} until @param {(Fact | null)[]} [more] */
	facts(from, until, more = []) {
		/** @type {(Fact | null)[]} */
		const all = [
			[
				"length",
				durationElement(until - from, { "data-figure": "length" }),
				exactText(until - from),
			],
			["from", timeText(from), exactTimeText(from)],
			["to", timeText(until), exactTimeText(until)],
			...more,
		];

		return element(
			"dl",
			{ class: "facts" },
			all
				.filter((row) => row !== null)
				.flatMap(([name, value, exact]) => [
					element("dt", {}, name),
					element(
						"dd",
						{},
						value,
						exact ? element("span", { class: "soft" }, " ", exact) : null,
					),
				]),
		);
	}

	/** @param {number} from @param {number} until */
	zoomButton(from, until) {
		const room = (until - from) * 0.15;

		return element(
			"button",
			{
				type: "button",
				class: "quiet-button",
				onclick: () => this.actions.show(from - room, until + room),
			},
			"Zoom to it",
		);
	}

	/* A stall's length, which leads to it. */
	/** @param {Stall} stall */
	stallButton(stall) {
		const length = stall.end_ns - stall.start_ns;

		return element(
			"button",
			{
				type: "button",
				class: "link",
				"data-of": stall.id,
				"aria-label":
					`${durationText(length)}, stall at ${startText(stall)}` +
					this.recording.loopText(stall),
				onclick: () => this.actions.chooseStall(stall.id),
			},
			durationText(length),
		);
	}
}

/* When something began, with enough digits to differ from the next one. */
/** @param {{ start_ns: number, end_ns: number }} shape */
function startText({ start_ns, end_ns }) {
	return timeText(start_ns, Math.min(1e6, end_ns - start_ns));
}
