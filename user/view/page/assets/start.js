// SPDX-License-Identifier: MIT
/* Start: reads what is visible first, draws it, reads the rest. And the interface for tests:
 * `window.gilscope`. */
"use strict";

/** @param {Recording} recording */
function showHead(recording) {
	const { head, report } = recording,
		{ evidence } = report,
		process = recording.processes.length === 1 ? recording.processes[0] : null,
		caveats = head.caveats || [];
	const facts = [
		process
			? `PID ${process.pid}`
			: manyText(
					recording.processes.reduce((sum, one) => sum + (one.stands_for || 1), 0),
					"process",
					"processes",
				),
		process ? `Python ${process.python || "?"}` : "",
		durationText(recording.end),
	];
	const data = [
		evidence.lost ? `${manyText(evidence.lost, "event")} lost` : "no events lost",
		manyText(evidence.events, "event"),
		report.truncated ? "the recording is truncated" : "",
	];

	document.title = plainText(`${head.title} · gilscope`);
	byId("title").textContent = plainText(head.title || "gilscope");
	byId("title").title = plainText(process ? process.cmdline : head.title);
	setClock(head.realtime_ns);
	byId("facts").replaceChildren(
		facts.filter(Boolean).join(" · "),
		clock.isKnown ? " from " : "",
		element("span", { id: "began" }),
		["", ...data.filter(Boolean)].join(" · "),
	);
	byId("verdict").replaceChildren(
		...(head.verdict || "").split("\n").map(function (line) {
			const paragraph = document.createElement("span");
			paragraph.textContent = plainText(line);
			paragraph.style.display = "block";
			return paragraph;
		}),
	);
	showFindings(head.findings || []);
	byId("overview-name").textContent = recording.hasTurns ? "Loop iterations (log)" : "GIL";
	byId("overview-scale").textContent = recording.hasTurns
		? `┄ ${durationText(report.stall_ns)} threshold`
		: "";
	byId("caveats-box").hidden = !caveats.length;
	byId("caveats-button").textContent =
		`${report.partial ? "Data loss" : "Caveats"} (${caveats.length})`;
	byId("caveats-button").classList.toggle("warning", Boolean(report.partial));
	byId("caveats").replaceChildren(
		element(
			"ul",
			{},
			caveats.map((words) => element("li", {}, words)),
		),
	);
	/** @param {boolean} shown */
	const open = (shown) => {
		byId("caveats").hidden = !shown;
		byId("caveats-button").setAttribute("aria-expanded", String(shown));
	};

	byId("caveats-button").addEventListener("click", () => open(byId("caveats").hidden));
	document.addEventListener(
		"pointerdown",
		(event) => /** @type {Element} */ (event.target).closest("#caveats-box") || open(false),
	);
	byId("caveats-box").addEventListener(
		"keydown",
		(event) => event.key === "Escape" && open(false),
	);
}

/**
 * The worst finding is always in sight, the others and all advice behind it.
 *
 * @param {PageFinding[]} findings
 */
function showFindings(findings) {
	const [summary] = byId("findings").children;

	byId("findings").hidden = !findings.length;
	if (!findings.length) return;
	summary.replaceChildren(
		plainText(findings[0].text),
		findings.length > 1
			? element("span", { class: "soft" }, ` and ${findings.length - 1} more`)
			: "",
	);
	byId("findings").replaceChildren(
		summary,
		element(
			"ol",
			{},
			findings.map(({ text, source, advice }) =>
				element(
					"li",
					{},
					text,
					source ? element("p", {}, element("code", { class: "source" }, source)) : null,
					element("p", { class: "soft" }, advice),
				),
			),
		),
	);
}

/*
 * Reads the GILs, loops and pools, then the threads from top to bottom. Visible threads are
 * requested at once, so that one is unpacked while another is processed, and each is drawn as soon
 * as it is read. The rest is read in slices, between which the page stays responsive.
 */
/** @param {Timeline} timeline */
async function readLanes(timeline) {
	const { recording, layout } = timeline,
		threads = layout.threadGroups();
	const inSight = () =>
		threads
			.filter(
				(group) =>
					!group.thread.isRead && group.y < timeline.lanes.scrollTop + timeline.height,
			)
			.map((group) => group.thread);
	/** @param {Thread} thread */
	const read = async (thread) => {
		await recording.readThread(thread);
		layout.place();
		timeline.redraw();
	};

	await Promise.all([
		...recording.gils.map((gil) => recording.readHolds(gil)),
		...recording.loops.map((loop) => recording.readTurns(loop)),
		...recording.pools.map((pool) => recording.readBusy(pool)),
	]);
	for (let wanted; (wanted = inSight()).length;) await Promise.all(wanted.map(read));
	timeline.resize();
	byId("progress").hidden = true;
	performance.measure("gilscope-loaded", { start: 0, end: performance.now() });
	performance.mark("gilscope-loaded");
	for (const { thread } of threads)
		if (!thread.isRead) {
			await read(thread);
			await new Promise((resolve) => setTimeout(resolve));
		}
	recording.gils.forEach((gil) => recording.countWaiters(gil));
	recording.lanesComplete = true;
	timeline.link.read();
	timeline.panels.refresh();
	timeline.redraw();
	performance.mark("gilscope-complete");
}

/* For tests and for exploring: what is shown, and the sums behind it. Read only. */
/** @param {Timeline} timeline */
function publish(timeline) {
	const { recording, view } = timeline;

	return Object.freeze({
		get ready() {
			return Boolean(recording.lanesComplete);
		},
		get window() {
			return { from: view.from, until: view.until, end: view.end, width: view.width };
		},
		get selection() {
			return timeline.selection ? thingAddress(timeline.selection) : null;
		},
		get hover() {
			return timeline.hover ? thingAddress(timeline.hover) : null;
		},
		get drawnLanes() {
			return timeline.picture.drawnRows;
		},
		get rows() {
			return timeline.layout.rows.map((row) => ({
				kind: row.kind,
				y: row.y,
				height: row.height,
				owner: rowOwner(row).number,
			}));
		},
		has: (/** @type {string} */ address) => thingOf(recording, address) !== null,
		get report() {
			return structuredClone(recording.report);
		},
		sums: (
			/** @type {number} */ thread,
			/** @type {number} */ from,
			/** @type {number} */ until,
		) =>
			Object.fromEntries(
				[...recording.sums(thread, from, until)].map((ns, state) => [
					STATE_NAMES[state],
					ns,
				]),
			),
		holders: (
			/** @type {number} */ gil,
			/** @type {number} */ from,
			/** @type {number} */ until,
		) => recording.holders(gil, from, until),
		busy: (
			/** @type {number} */ pool,
			/** @type {number} */ from,
			/** @type {number} */ until,
		) => recording.pools[pool].busyLane.times(from, until),
		/* [thread, state, frames from the outermost in, ns] */
		flames: (/** @type {number} */ from, /** @type {number} */ until) =>
			recording.threads.flatMap((thread) =>
				[...windowStacks(thread, from, until, 2 ** STATE_NAMES.length - 1)].flatMap(
					([stack, sums]) =>
						[...sums]
							.map((ns, state) => [
								thread.number,
								STATE_NAMES[state],
								stackFrames(recording.stacks, stack).map(([frame]) => frame),
								ns,
							])
							.filter(([, , , ns]) => ns),
				),
			),
		/* what the rows of a thread's flame lane say at an instant, outermost first */
		boxesAt: (/** @type {number} */ number, /** @type {number} */ time) => {
			const { rows, stackLane } = recording.threads[number],
				row = timeline.layout.rowOf("flame", recording.threads[number]);

			return row?.kind === "flame"
				? rows
						.path(stackLane.stacks[stackLane.indexAt(time)], row.whole)
						.slice(0, row.shown)
						.map((node) => timeline.picture.flames.textOf(rows, node))
				: [];
		},
		xOf: (/** @type {number} */ time) => view.x(time),
		measure: Object.freeze({
			get loaded() {
				return (
					performance.getEntriesByName("gilscope-loaded", "measure")[0]?.duration ?? null
				);
			},
			get redraws() {
				return performance
					.getEntriesByName("gilscope-redraw")
					.map((entry) => entry.duration);
			},
			clear: () => performance.clearMeasures("gilscope-redraw"),
		}),
	});
}

async function start() {
	try {
		const recording = await Recording.read();

		recording.prefetch();
		showHead(recording);
		buildLegend(byId("legend"));
		buildHelp(byId("help", HTMLDialogElement));
		const timeline = new Timeline(recording);

		timeline.panels.details.show(null, timeline.view);
		Object.defineProperty(window, "gilscope", { value: publish(timeline), enumerable: true });
		await readLanes(timeline);
	} catch (/** @type {any} */ error) {
		byId("progress").hidden = false;
		byId("progress").classList.add("failed");
		byId("progress").textContent =
			error instanceof DamagedData
				? error.message
				: `This page could not be drawn: ${error.message}`;
		throw error;
	}
}

start();
