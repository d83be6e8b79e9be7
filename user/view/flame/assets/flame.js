// SPDX-License-Identifier: MIT
"use strict";
/*
 * The page of `gilscope flame`: which states are shown, and how. The graph itself is FlameGraph's.
 */

const LEADING = ["process", "thread", "handler"];
/* not selected at first when all states are available: threads waiting for work would fill most of
 * the picture */
const QUIET_STATES = ["blocked", "idle"];

class FlamePage {
	/** @param {FlamePageHead} head */
	constructor(head) {
		this.head = head;
		this.leading = head.processes > 1 ? LEADING : LEADING.slice(1);
		this.functions = flameFunctions(head.frames);
		this.flames = new Map();
		this.form = /** @type {HTMLFormElement} */ (byId("choice"));
		this.controls = /** @type {Record<string, any>} */ (this.form.elements);
		this.empty = byId("empty");
		this.dark = darkTheme();
		this.total = 0;
		this.graph = new FlameGraph(byId("graph"), {
			colour: (/** @type {FlameNode} */ node) => this.colour(node),
			title: (/** @type {FlameNode} */ node) => this.title(node),
			role: (/** @type {FlameNode} */ { kind }) =>
				kind === "state" ? "part" : LEADING.includes(kind) ? "group" : "frame",
		});
	}

	/* Reads the graphs' columns, by name; they are small, so all are read at once. */
	async read() {
		for (const { name, blob } of this.head.graphs)
			if (blob)
				this.flames.set(name, readFlames(await blobBytes(blob), this.head.frames.length));
	}

	start() {
		byId("title").textContent = this.head.title;
		document.title = `Flame graph · ${this.head.title}`;
		this.total = this.entries("waiter").reduce((sum, { ns }) => sum + ns, 0);
		this.listStates();
		this.showOwners();
		for (const note of this.head.notes) flameElement(byId("notes"), "p", "", `${note}.`);
		this.form.addEventListener("change", () => this.show());
		this.form.addEventListener("submit", (event) => event.preventDefault());
		document.addEventListener("keydown", (event) => this.key(event));
		for (const query of THEME_QUERIES)
			matchMedia(query).addEventListener("change", () => this.recolour());
		this.show();
	}

	/* The graphs of every state; of waiting for the GIL, which may have two, the one asked for by
	 * `by`. */
	/** @param {string} by */
	entries(by) {
		const { graphs } = this.head,
			both = graphs.filter((graph) => graph.by).length > 1;

		return graphs.filter((graph) => !both || !graph.by || graph.by === by);
	}

	/* A check box for each state, with the total time of its threads. */
	listStates() {
		const all = this.entries("waiter"),
			some =
				all.length === STATE_NAMES.length &&
				all.some(({ state, ns }) => ns && !QUIET_STATES.includes(state));

		for (const { state, ns } of all) {
			const label = flameElement(byId("states"), "label", "state"),
				box = flameElement(label, "input", "");

			box.type = "checkbox";
			box.name = "state";
			box.value = state;
			box.disabled = !ns;
			box.checked = ns > 0 && !(some && QUIET_STATES.includes(state));
			flameElement(label, "span", "swatch").style.background = stateBackground(state);
			flameElement(label, "span", "name", stateLabel(state));
			flameElement(label, "span", "sum", ns ? durationText(ns) : "–");
			label.title =
				`${stateLook(state).doing}\n${exactText(ns)}, ${percentText(ns, this.total)} ` +
				"of the threads' time\nDouble click: only this";
			label.classList.toggle("none", !ns);
			label.addEventListener("dblclick", () => this.only(state));
		}
	}

	/* The legend of the frames' colours. */
	showOwners() {
		byId("owners").replaceChildren();
		for (const [owner, { label }] of OWNER_LOOKS.slice(0, OWNER_FOLDED).entries()) {
			const swatch = flameElement(byId("owners"), "span", "swatch");

			swatch.style.background = ownerColour(owner, "", this.dark);
			byId("owners").append(label);
		}
	}

	/** @param {string} state */
	only(state) {
		for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (
			this.form.querySelectorAll("[name=state]")
		))
			box.checked = box.value === state;
		this.show();
	}

	chosen() {
		const states = new FormData(this.form).getAll("state");

		return this.entries(this.controls.by.value).filter(
			({ state, ns }) => ns && states.includes(state),
		);
	}

	show() {
		const chosen = this.chosen(),
			{ threads, handlers, lines } = this.controls;
		const graphs = chosen.map((entry) => ({
			state: entry.state,
			flames: this.flames.get(entry.name),
		}));
		const name = chosen.length === 1 ? chosen[0].name : "all";

		this.evidence = chosen.length === 1 ? chosen[0].evidence : "";
		byId("by").hidden =
			this.head.graphs.filter((graph) => graph.by).length < 2 || !chosen.some(({ by }) => by);
		this.drawBar(chosen);
		this.empty.textContent = this.whyEmpty(chosen);
		this.empty.hidden = !this.empty.textContent;
		byId("graph").hidden = !chosen.length;
		if (!chosen.length) return;
		const together = {
			threads: threads.checked,
			handlers: handlers.checked,
			lines: lines.checked,
		};

		this.graph.show(
			new FlameTree(graphs, this.head.frames, this.leading, this.functions, together).root(
				name,
			),
		);
	}

	/* Why there is nothing to show, or less than expected; "" otherwise. */
	/** @param {FlamePageGraph[]} chosen */
	whyEmpty(chosen) {
		if (!this.total)
			return `No thread was ${this.entries("waiter")
				.map(({ state }) => stateLook(state).doing)
				.join(", or ")} in this recording.`;
		if (!chosen.length) return "No state is chosen.";
		return this.head.stacks
			? ""
			: "No stacks were taken in this recording: this is the threads' time only.";
	}

	/* All the threads' time by state, with the selected part marked. */
	/** @param {FlamePageGraph[]} chosen */
	drawBar(chosen) {
		const bar = byId("bar");

		bar.replaceChildren();
		for (const { state, ns } of this.entries("waiter")) {
			const part = flameElement(
				bar,
				"span",
				chosen.some((entry) => entry.state === state) ? "" : "out",
			);

			part.style.flexGrow = String(ns);
			part.style.background = stateBackground(state);
		}
		bar.hidden = !this.total;
	}

	/** @param {FlameNode} node */
	colour(node) {
		if (node.kind === "state") return stateLook(node.name).colour;
		if (node.kind === "frame") return ownerColour(node.owner, node.name, this.dark);
		if (node.kind === "handler" && node.file) return this.dark ? "#2f3f5f" : "#d3dff5";
		return this.dark ? "#3a414a" : "#d9dee4";
	}

	/** @param {FlameNode} node */
	title(node) {
		if (node.kind === "state") return [stateLook(node.name).doing];
		if (node.kind === "frame") return [...node.code, OWNER_LOOKS[node.owner].label];
		return node.kind === "root" && this.evidence ? [this.evidence] : [];
	}

	recolour() {
		this.dark = darkTheme();
		this.showOwners();
		this.graph.redraw();
	}

	/** @param {KeyboardEvent} event */
	key(event) {
		if (
			event.key !== "/" ||
			/** @type {Element} */ (event.target).matches("input[type=search]") ||
			event.ctrlKey ||
			event.altKey ||
			event.metaKey
		)
			return;
		this.graph.search.box.focus();
		event.preventDefault();
	}
}

async function startFlamePage() {
	try {
		const page = new FlamePage(await blobJson("head"));

		await page.read();
		page.start();
		performance.mark("gilscope-loaded");
		Object.defineProperty(window, "flamePage", { value: page });
	} catch (/** @type {any} */ error) {
		byId("empty").textContent = `The flame graph cannot be shown: ${error.message}`;
		throw error;
	}
}

startFlamePage();
