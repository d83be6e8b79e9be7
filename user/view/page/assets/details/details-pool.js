// SPDX-License-Identifier: MIT
/* What the details show of a thread pool: how many of its threads were busy at an instant, and what
 * it did in the whole recording. */
"use strict";

class PoolDetails extends DetailsPart {
	/** @param {BusyThing} thing @returns {(Node | null)[]} */
	show(thing) {
		const pool = this.recording.pools[thing.pool],
			[from, until] = thingTimes(this.recording, thing);

		return [
			this.head(pool.name),
			...busySentences(pool, thing.index).map((sentence) => element("p", {}, sentence)),
			this.zoomButton(from, until),
			this.facts(from, until),
			this.whole(pool),
			this.functions(pool.figures),
		];
	}

	/** @param {Pool} pool */
	whole({ figures }) {
		const { threads, limit, busy_max, busy_ns, full_ns, full_worst_ns } = figures,
			jobs = figures.jobs_back_to_back;
		/** @type {[string, Child][]} */
		const rows = [
			["threads", limit ? `${threads}, of at most ${limit}` : String(threads)],
			["busy at a time", `up to ${busy_max}`],
			["on average", (busy_ns / this.recording.end).toFixed(1)],
			["all at once", durationElement(full_ns, { "data-figure": "full" })],
			["the longest", durationElement(full_worst_ns, { "data-figure": "full-worst" })],
		];

		if (jobs) rows.push(["jobs", `${countText(jobs)} began as soon as a thread was free`]);

		return element(
			"section",
			{},
			element("h4", {}, "In the whole recording"),
			element(
				"dl",
				{ class: "facts" },
				rows.flatMap(([name, value]) => [
					element("dt", {}, name),
					element("dd", {}, value),
				]),
			),
		);
	}

	/** @param {ReportPool} figures */
	functions({ functions }) {
		const total = functions.reduce((sum, { ns }) => sum + ns, 0);

		if (!total) return null;
		return element(
			"section",
			{},
			element("h4", {}, "What its threads ran"),
			element(
				"ul",
				{ class: "shares plain" },
				functions
					.slice(0, 12)
					.map(({ handler, ns }) =>
						element(
							"li",
							{},
							handler ? placedFrame(handler) : "no function of the application",
							durationElement(ns, { "data-figure": "ran" }),
							element("span", { class: "soft" }, percentText(ns, total)),
						),
					),
			),
		);
	}
}

/* How many threads were busy in an entry, and what that leaves open. */
/** @param {Pool} pool @param {number} index */
function busySentences({ busyLane: lane, figures }, index) {
	const busy = lane.busy[index],
		unknown = lane.unknown[index],
		threads = lane.threads[index];

	if (!threads) return ["no thread"];
	return [
		`${unknown ? "at least " : ""}${busy} of ${manyText(threads, "thread")} busy`,
		unknown ? `of ${unknown} nothing is known: they may be busy, too` : "",
		lane.kinds[index] && threads > 1 ? "all busy at once" : "",
		threads < figures.threads ? `there were ${figures.threads} at most` : "",
	].filter(Boolean);
}
