// SPDX-License-Identifier: MIT
/* Tabs: a click or an arrow key shows another panel of a group. */
"use strict";

class TabGroup {
	/* `names`: the buttons' ids without "tab-". */
	/** @param {string[]} names @param {(name: string, before: string) => void} onshow */
	constructor(names, onshow) {
		this.names = names;
		this.onshow = onshow;
		this.chosen = "";
		names.forEach((name, place) => {
			byId(`tab-${name}`).addEventListener("click", () => this.show(name));
			byId(`tab-${name}`).addEventListener("keydown", (event) => {
				const step = Number(event.key === "ArrowRight") - Number(event.key === "ArrowLeft");

				if (!step) return;
				this.show(names[(place + step + names.length) % names.length]);
				byId(`tab-${this.chosen}`).focus();
			});
		});
	}

	/** @param {string} name */
	show(name) {
		const before = this.chosen;

		this.chosen = name;
		for (const other of this.names) {
			byId(`tab-${other}`).setAttribute("aria-selected", String(other === name));
			byId(`tab-${other}`).tabIndex = other === name ? 0 : -1;
		}
		this.onshow(name, before);
	}
}

/* Details and the flame graph share a panel; where there is room for both, both are shown. */
class PanelTabs extends TabGroup {
	/** @param {() => void} onchange */
	constructor(onchange) {
		super(["details", "flame"], (name, before) => {
			byId("panels").dataset.tab = name;
			if (before && before !== name) onchange();
		});
		this.wide = matchMedia("(min-width: 1600px)");
		this.wide.addEventListener("change", () => this.show(this.chosen));
		this.show("details");
	}

	get flameShown() {
		return this.wide.matches || this.chosen === "flame";
	}
}

/* The lists at the left: of functions, of stalls and of threads. */
class ListTabs extends TabGroup {
	/** @param {Recording} recording @param {StallList} stalls */
	constructor(recording, stalls) {
		const names = ["functions", "stalls", "threads"];

		super(names, (name) => {
			for (const other of names) byId(other).hidden = other !== name;
			byId("stalls-tools").hidden = name !== "stalls";
		});
		this.stalls = stalls;
		this.all = recording.stalls.length;
		byId("tab-threads").textContent = `Threads (${countText(recording.threads.length)})`;
		byId("tab-functions").textContent = `Functions (${countText(recording.blame.length)})`;
		stalls.onfilter = () => this.count();
		this.count();
		this.show(recording.blame.length ? "functions" : "stalls");
	}

	count() {
		const shown = this.stalls.sorted.length;

		byId("tab-stalls").textContent =
			shown === this.all
				? `Stalls (${countText(this.all)})`
				: `Stalls (${countText(shown)} of ${countText(this.all)})`;
	}
}
