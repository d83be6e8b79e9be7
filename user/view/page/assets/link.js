// SPDX-License-Identifier: MIT
/* The page's address: #t=from-until&s=stall.3&frames=all, a view that can be bookmarked. The whole
 * recording with nothing chosen has no fragment. */
"use strict";

const LINK_MS = 200;

class Link {
	/** @param {Timeline} timeline */
	constructor(timeline) {
		this.timeline = timeline;
		this.known = ""; /* the fragment that was written or read last */
		addEventListener("hashchange", () => this.read());
	}

	/* Written once it rests. */
	changed() {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.write(), LINK_MS);
	}

	write() {
		if (location.hash !== this.known) return; /* a new one, which is about to be read */
		const { view, selection, panels, recording } = this.timeline,
			parts = [
				view.whole ? "" : `t=${view.from}-${view.until}`,
				selection ? `s=${thingAddress(selection)}` : "",
				panels.tabs.chosen === "flame" ? "tab=flame" : "",
				clock.name === "relative" ? "" : `clock=${clock.name}`,
				recording.folds.all ? "frames=all" : "",
			].filter(Boolean);

		this.known = parts.length ? `#${parts.join("&")}` : "";
		if (this.known !== location.hash)
			history.replaceState(null, "", this.known || location.href.split("#")[0]);
	}

	/* Invalid parts are ignored: a link may belong to another recording. */
	read() {
		const { timeline } = this,
			{ recording, view } = timeline,
			parts = new Map(
				location.hash
					.slice(1)
					.split("&")
					.map((part) => /** @type {[string, string]} */ (part.split("="))),
			),
			[, from = "", until = ""] = /^(\d{1,16})-(\d{1,16})$/.exec(parts.get("t") ?? "") ?? [];
		const thing = thingOf(recording, parts.get("s") || "");

		if (location.hash === this.known) return;
		this.known = location.hash;
		if ((parts.get("clock") ?? "relative") !== clock.name)
			timeline.setClock(parts.get("clock"));
		if (Number(until) > Number(from) && Number(from) < view.end)
			timeline.setWindow(Number(from), Number(until));
		else timeline.setWindow(0, view.end);
		timeline.unfolding.setAll(parts.get("frames") === "all");
		timeline.choose(thing);
		if (thing?.kind === "stall") timeline.reveal(recording.stalls[thing.stall].thread);
		else if (thing && "thread" in thing) timeline.reveal(thing.thread);
		if (parts.get("tab") === "flame") timeline.panels.tabs.show("flame");
	}
}
