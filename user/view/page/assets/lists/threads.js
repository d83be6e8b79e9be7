// SPDX-License-Identifier: MIT
/* The list of threads: what each did in the whole recording, by state. Rows of long lists are added
 * on scrolling. */
"use strict";

const THREADS_AT_ONCE = 200;

/** @type {{ order: ThreadOrder, head: string, title: string }[]} */
const THREAD_COLUMNS = [
	{ order: "lanes", head: "Thread", title: "Sort as the lanes" },
	{ order: "held", head: "Held GIL", title: "Sort by how long it held the GIL" },
	{ order: "waited", head: "Waited", title: "Sort by how long it waited for the GIL" },
	{ order: "total", head: "Observed", title: "Sort by how long it was observed" },
];

class ThreadList {
	/** @param {Recording} recording @param {HTMLElement} root @param {Actions} actions */
	constructor(recording, root, actions) {
		this.recording = recording;
		this.root = root;
		this.actions = actions;
		this.order = /** @type {ThreadOrder} */ ("lanes");
		this.entries = recording.threadsInOrder().map((thread) => ({
			thread,
			held: recording.heldBy(thread),
			waited: thread.figures.states.gil_wait,
			total: Object.values(thread.figures.states).reduce((sum, ns) => sum + ns, 0),
		}));
		this.shown = 0;
		this.marked = /** @type {number | null} */ (null);
		this.rows = /** @type {Map<number, HTMLElement>} */ (new Map());
		this.body = element("tbody");
		this.build();
	}

	sorted() {
		const { order, entries } = this;

		return order === "lanes" ? entries : [...entries].sort((a, b) => b[order] - a[order]);
	}

	build() {
		const [first, ...rest] = THREAD_COLUMNS.map((column) => this.headCell(column));

		if (!this.entries.length) {
			this.root.replaceChildren(
				element("p", { class: "note" }, "No Python thread was seen in this recording."),
			);
			return;
		}
		this.shown = 0;
		this.rows.clear();
		this.body = element("tbody");
		this.root.replaceChildren(
			element(
				"table",
				{ class: "list threads" },
				element("caption", { class: "unseen" }, "Threads, over the whole recording"),
				element(
					"thead",
					{},
					element("tr", {}, first, element("th", { scope: "col" }, "States"), rest),
				),
				this.body,
			),
		);
		this.more();
		this.root.append(listEnd(() => this.more()));
		this.mark(this.marked);
	}

	/** @param {{ order: ThreadOrder, head: string, title: string }} column */
	headCell({ order, head, title }) {
		const sorted = this.order === order && order !== "lanes";

		return sortHead(
			head,
			title,
			sorted ? "descending" : null,
			() => {
				this.order = order;
				this.build();
				focusIn(this.root, `[data-order="${order}"]`);
			},
			order,
		);
	}

	more() {
		for (const entry of this.sorted().slice(this.shown, this.shown + THREADS_AT_ONCE)) {
			const row = this.row(entry);

			this.rows.set(entry.thread.number, row);
			this.body.append(row);
		}
		this.shown = Math.min(this.entries.length, this.shown + THREADS_AT_ONCE);
	}

	/** @param {Thread} thread */
	roles(thread) {
		const { pid } = this.recording.processes[thread.process];

		return [
			thread.loop ? "loop" : "",
			thread.poller ? "poller" : "",
			thread.tid === pid && !thread.loop ? "main" : "",
			thread.gone ? "gone" : "",
		].filter(Boolean);
	}

	/** @param {{ thread: Thread, held: number, waited: number, total: number }} entry */
	row({ thread, held, waited, total }) {
		const choose = () => {
			this.actions.choose({ kind: "thread", thread: thread.number });
			this.actions.reveal(thread.number);
		};

		return element(
			"tr",
			{ "data-thread": thread.number, onclick: choose },
			element(
				"td",
				{ class: "what" },
				element(
					"button",
					{
						type: "button",
						class: "row-button",
						title: thread.name,
					},
					threadSwatch(thread.number),
					element("span", { class: "unseen" }, "Thread "),
					`${thread.python_name || thread.comm || "thread"} `,
					this.roles(thread).flatMap((role) => [
						element("span", { class: "badge quiet" }, role),
						" ",
					]),
					element("span", { class: "soft" }, this.recording.whichText(thread)),
				),
			),
			element("td", {}, threadBar(thread, stateEntries(thread.figures.states), total || 1)),
			.../** @type {[string, number][]} */ ([
				["held", held],
				["waited", waited],
				["total", total],
			]).map(([figure, ns]) =>
				element(
					"td",
					{
						class: ns ? "number" : "number empty",
						"data-column": figure === "total" ? "observed" : figure,
					},
					ns ? durationElement(ns, { "data-figure": figure }) : "·",
				),
			),
		);
	}

	/* Marks the chosen thread; null for none. */
	/** @param {number | null} number */
	mark(number) {
		this.marked = number;
		while (number !== null && !this.rows.has(number) && this.shown < this.entries.length)
			this.more();
		for (const [other, row] of this.rows) {
			row.classList.toggle("chosen", other === number);
			row.querySelector("button")?.setAttribute("aria-pressed", String(other === number));
			if (other === number) row.scrollIntoView({ block: "nearest" });
		}
	}
}
