// SPDX-License-Identifier: MIT
/* The list of functions: what each of the application's cost the event loop, as in the text
 * report. */
"use strict";

class FunctionList {
	/** @param {Recording} recording @param {HTMLElement} root @param {Actions} actions */
	constructor(recording, root, actions) {
		this.recording = recording;
		this.actions = actions;
		/* 1 for the nodes of the chosen function; null without one */
		this.nodes = /** @type {Uint8Array | null} */ (null);
		/* what a whole bar stands for */
		this.most = recording.blame.reduce((most, { ns }) => Math.max(most, ns), 1);
		this.rows = recording.blame.map((blame) => this.row(blame));
		root.replaceChildren(recording.blame.length ? this.table() : this.nothing());
	}

	nothing() {
		return element(
			"p",
			{ class: "note" },
			this.recording.stacks.count > 1
				? "None of your functions took time of an event loop."
				: "There are no Python stacks in this recording, so functions are unknown.",
		);
	}

	table() {
		const loops = this.recording.loops.length;

		return element(
			"table",
			{ class: "list functions" },
			element(
				"caption",
				{ class: "unseen" },
				loops
					? "Functions, by time they blocked the event loop"
					: "Functions, by time they ran",
			),
			element(
				"thead",
				{},
				element(
					"tr",
					{},
					["Function", loops ? "On the loop" : "Time", "Stalls", "Total", "Longest"].map(
						(head) => element("th", { scope: "col" }, head),
					),
				),
			),
			element("tbody", {}, this.rows),
		);
	}

	/** @param {Blame} blame */
	row(blame) {
		const { handler, stalls, stall_ns, worst_ns } = blame,
			choose = () => this.actions.choose({ kind: "function", function: blame.id });
		/** @param {number} ns */
		const time = (ns) => (ns ? durationElement(ns) : element("span", { class: "soft" }, "·"));

		return element(
			"tr",
			{ "data-function": blame.id, onclick: choose },
			element(
				"td",
				{ class: "what" },
				element(
					"button",
					{
						type: "button",
						class: "row-button",
						title: [
							handler.decorator,
							handler.function,
							`${handler.file}:${handler.line}`,
						]
							.filter(Boolean)
							.join("\n"),
					},
					placedFrame(handler),
					unseenPlace(handler),
				),
				handler.decorator ? element("code", { class: "source" }, handler.decorator) : null,
			),
			element("td", {}, this.bar(blame)),
			...[stalls && countText(stalls), time(stall_ns), time(worst_ns)].map((figure) =>
				element("td", { class: stalls ? "number" : "number empty" }, figure || "·"),
			),
		);
	}

	/* As long as the function's share of the most costly one. What it held the GIL for while the
	 * loop waited stands last. */
	/** @param {Blame} blame */
	bar(blame) {
		const bar = stateBar(blame.shares, this.most, { class: "state-bar bare" }),
			words = blame.shares.map(([state, ns]) => `${stateLabel(state)} ${durationText(ns)}`);

		if (blame.made_loops_wait_ns) {
			const part = element("span", { "data-state": "made_wait" });

			words.push(
				`held the GIL while the loop waited ${durationText(blame.made_loops_wait_ns)}`,
			);
			part.style.background = stateBackground("gil_wait");
			part.style.flexGrow = String(blame.made_loops_wait_ns / this.most);
			bar.append(part);
		}
		bar.setAttribute("aria-label", words.join(", "));
		bar.title = words.join("\n");
		return bar;
	}

	/* Marks the chosen function, here and in the flame lanes. */
	/** @param {number | null} id */
	mark(id) {
		const { stacks, blame } = this.recording;

		this.nodes =
			id === null || !blame[id].number
				? null
				: Uint8Array.from(stacks.function, (number) => Number(number === blame[id].number));
		this.rows.forEach((row, number) => {
			row.classList.toggle("chosen", number === id);
			row.querySelector("button")?.setAttribute("aria-pressed", String(number === id));
			if (number === id) row.scrollIntoView({ block: "nearest" });
		});
	}
}
