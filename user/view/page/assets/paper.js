// SPDX-License-Identifier: MIT
/*
 * The page on paper, at most four pages whatever the recording: the verdict, the findings, the
 * functions and the longest stalls as text, and the lanes once, as they are seen. All is laid out
 * and drawn before printing begins: Firefox copies canvases as they are then.
 */
"use strict";

const PAPER_ITEMS_MOST = 8,
	PAPER_FUNCTIONS_MOST = 15,
	PAPER_STALLS_MOST = 30,
	PAPER_LANES_PX = 570;

class Paper {
	/** @param {Timeline} timeline */
	constructor(timeline) {
		this.timeline = timeline;
		addEventListener("beforeprint", () => this.begin());
		addEventListener("afterprint", () => this.end());
	}

	begin() {
		const { layout } = this.timeline,
			height = Math.min(layout.height, PAPER_LANES_PX);

		byId("print").replaceChildren(...this.sections());
		byId("print-cut").hidden = layout.height <= height;
		document.documentElement.classList.add("paper");
		document.documentElement.style.setProperty("--paper-lanes", `${height}px`);
		this.redraw();
	}

	end() {
		byId("print").replaceChildren();
		document.documentElement.classList.remove("paper");
		this.redraw();
	}

	redraw() {
		forgetTheme();
		this.timeline.resize();
	}

	sections() {
		const { findings, caveats } = this.timeline.recording.head,
			verdicts = byId("verdict").childElementCount;

		return [
			this.more(verdicts - PAPER_ITEMS_MOST),
			this.list(
				"Findings",
				findings.map(({ text, advice }) => [text, element("p", { class: "soft" }, advice)]),
			),
			this.functions(),
			this.stalls(),
			this.list("Caveats", caveats),
		].flat();
	}

	/** @param {string} title @param {Child[]} items */
	list(title, items) {
		if (!items.length) return [];
		return [
			element("h2", {}, title),
			element(
				"ol",
				{},
				items.slice(0, PAPER_ITEMS_MOST).map((item) => element("li", {}, item)),
			),
			...this.more(items.length - PAPER_ITEMS_MOST),
		];
	}

	/* What is left out. */
	/** @param {number} count */
	more(count) {
		const words = "more, on the page and in `gilscope report --all`.";

		return count > 0
			? [element("p", { class: "soft" }, `And ${countText(count)} ${words}`)]
			: [];
	}

	functions() {
		const { recording } = this.timeline,
			nothing = () => {},
			list = new FunctionList(recording, element("div"), {
				choose: nothing,
				show: nothing,
				chooseStall: nothing,
				reveal: nothing,
				redraw: nothing,
				zoom: nothing,
			});

		if (!list.rows.length) return [];
		list.rows.splice(PAPER_FUNCTIONS_MOST);
		return [
			element("h2", {}, "Functions"),
			list.table(),
			...this.more(recording.blame.length - PAPER_FUNCTIONS_MOST),
		];
	}

	stalls() {
		const { recording } = this.timeline,
			stalls = [...recording.stalls].sort(STALL_ORDERS.length.compare);

		if (!stalls.length) return [];
		return [
			element("h2", {}, "Stalls, longest first"),
			figureTable(
				"Stalls of the event loop",
				["Length", "Cause", "Function", "Task", "At"],
				stalls.slice(0, PAPER_STALLS_MOST).map((stall) => this.stall(stall)),
				{ class: "list" },
			),
			...this.more(stalls.length - PAPER_STALLS_MOST),
		];
	}

	/** @param {Stall} stall @returns {Child[]} */
	stall(stall) {
		const [blocker] = stall.cause === "gil_wait" ? stall.blockers : [],
			culprit = blocker?.handler || stall.handler || stall.stack[0];

		return [
			`${durationText(stall.end_ns - stall.start_ns)}${stall.ongoing ? "+" : ""}`,
			stateElement(stall.cause),
			[blocker ? "GIL held by " : "", culprit ? placedFrame(culprit) : "unknown"],
			stall.task,
			exactTimeText(stall.start_ns),
		];
	}
}
