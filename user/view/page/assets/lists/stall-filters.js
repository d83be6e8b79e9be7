// SPDX-License-Identifier: MIT
/* Which stalls the list shows: those of a cause, a function, a loop, or of what is visible. */
"use strict";

class StallFilters {
	/**
	 * @param {Recording} recording
	 * @param {View} view
	 * @param {HTMLElement} root
	 * @param {() => void} onchange
	 */
	constructor(recording, view, root, onchange) {
		const { stalls, loops, threads, blame } = recording;
		const select = (
			/** @type {string} */ name,
			/** @type {string} */ all,
			/** @type {[value: string, words: string][]} */ choices,
		) => this.select(name, [["", all], ...choices]);

		this.view = view;
		this.wanted = /** @type {Required<StallFilter>} */ ({
			cause: null,
			blame: null,
			loop: null,
			visible: false,
		});
		this.onchange = onchange;
		this.cause = select(
			"Cause",
			"all causes",
			STATE_NAMES.filter((name) => stalls.some(({ cause }) => cause === name)).map((name) => [
				name,
				stateLabel(name),
			]),
		);
		this.blame = select(
			"Function",
			"all functions",
			blame
				.filter(({ id }) => stalls.some((stall) => stall.blame === id))
				.map(({ id, handler }) => [String(id), handler.function]),
		);
		this.loop = select(
			"Loop",
			"all loops",
			loops.map(({ number, thread }) => [String(number), threads[thread].short]),
		);
		this.range = select("Range", "whole recording", [["visible", "visible range"]]);
		if (stalls.length > 1)
			root.replaceChildren(
				this.cause,
				this.blame,
				...(loops.length > 1 ? [this.loop] : []),
				this.range,
			);
	}

	/** @param {string} name @param {[value: string, words: string][]} choices */
	select(name, choices) {
		return element(
			"select",
			{
				"aria-label": `${name} of the stalls`,
				"data-filter": name.toLowerCase(),
				onchange: () => this.read(),
			},
			choices.map(([value, words]) => element("option", { value }, words)),
		);
	}

	read() {
		/** @param {string} value */
		const number = (value) => (value === "" ? null : Number(value));

		this.wanted = {
			cause: this.cause.value || null,
			blame: number(this.blame.value),
			loop: number(this.loop.value),
			visible: this.range.value !== "",
		};
		this.onchange();
	}

	/* What is not named stays. */
	/** @param {StallFilter} wanted */
	set(wanted) {
		const { cause, blame, loop, visible } = (this.wanted = { ...this.wanted, ...wanted });

		this.cause.value = cause ?? "";
		this.blame.value = String(blame ?? "");
		this.loop.value = String(loop ?? "");
		this.range.value = visible ? "visible" : "";
	}

	/** @param {Stall} stall */
	accept(stall) {
		const { cause, blame, loop, visible } = this.wanted;

		return (
			(cause === null || stall.cause === cause) &&
			(blame === null || stall.blame === blame) &&
			(loop === null || stall.loop === loop) &&
			(!visible || this.isVisible(stall))
		);
	}

	/** @param {Stall} stall */
	isVisible({ start_ns, end_ns }) {
		return start_ns < this.view.until && end_ns > this.view.from;
	}
}
