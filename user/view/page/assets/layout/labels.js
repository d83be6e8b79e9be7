// SPDX-License-Identifier: MIT
/* The labels of the lanes, which are real buttons. */
"use strict";

const NAME_END = 6; /* characters at the end of a long name that stay in sight */

class Labels {
	/** @param {Layout} layout @param {HTMLElement} root */
	constructor(layout, root) {
		this.layout = layout;
		this.recording = layout.recording;
		this.root = root;
	}

	place() {
		const { groups, height } = this.layout,
			shown = new Set(this.layout.order());

		this.root.style.height = `${height}px`;
		document.documentElement.style.setProperty(
			"--lanes-height",
			`${Math.max(150, height + 1)}px`,
		);
		for (const group of groups) {
			if (shown.has(group)) this.placeOne(group);
			else if (group.label) group.label.hidden = true;
		}
	}

	/** @param {Group} group */
	placeOne(group) {
		const made = `${group.open} ${group.whole} ${group.rows.length}`;
		let { label } = group;

		if (!label || group.labelOpen !== made) {
			const focused =
				label?.contains(document.activeElement) &&
				document.activeElement?.getAttribute("data-role");

			group.label = this.makeLabel(group);
			label ? label.replaceWith(group.label) : this.root.append(group.label);
			label = group.label;
			group.labelOpen = made;
			if (focused)
				/** @type {HTMLElement | null} */ (
					label.querySelector(`[data-role="${focused}"]`)
				)?.focus();
		}
		label.hidden = false;
		label.style.top = `${group.y}px`;
		label.style.height = `${group.height}px`;
		for (const [index, row] of group.rows.entries()) {
			const caption = group.captions?.[index];

			if (caption) caption.style.top = `${row.y - group.y}px`;
		}
	}

	/** @param {Group} group */
	makeLabel(group) {
		const label = element("div", {
			class: `lane-label lane-${group.kind}${group.open ? "" : " closed"}`,
			"data-kind": group.kind,
		});

		label.append(this.toggleButton(group), this.factsOf(group) ?? "");
		if (group.kind === "thread") {
			label.dataset.thread = String(group.thread.number);
			label.classList.toggle("looped", group.thread.loopNumber !== undefined && group.open);
		}
		group.captions = group.open ? group.rows.map((row) => this.caption(group, row)) : [];
		label.append(...group.captions.filter((caption) => caption !== null));
		return label;
	}

	/* What a group is called in its label, and in full. */
	/** @param {Group} group */
	namesOf(group) {
		if (group.kind === "process") {
			const name = this.processText(group.process);

			return { name, title: this.recording.processes[group.process].cmdline };
		}
		if (group.kind === "asleep") {
			const name = manyText(group.threads.length, "sleeping thread");

			return {
				name,
				title:
					`${name}, awake for less than 0.1 % of the time:\n` +
					group.threads.map((thread) => thread.name).join("\n"),
			};
		}
		if (group.kind === "pool") return { name: group.pool.name, title: group.pool.name };
		if (group.kind === "gil")
			return { name: this.gilText(group.gil), title: this.gilText(group.gil) };
		const { thread, open } = group;

		return {
			name: open ? thread.python_name || thread.comm || "thread" : thread.short,
			title: thread.name,
		};
	}

	/* To those who hear it: lanes of two processes may have one name. */
	/** @param {Group} group @param {string} name */
	heardName(group, name) {
		const { processes, severalProcesses } = this.recording;

		if (group.kind === "process") return name;
		if (group.kind === "thread") return group.thread.short;
		const { process } =
			group.kind === "gil"
				? group.gil
				: group.kind === "pool"
					? group.pool
					: group.threads[0];

		return severalProcesses ? `${name} of process ${processes[process].pid}` : name;
	}

	/** @param {Group} group */
	toggleButton(group) {
		const { name, title } = this.namesOf(group);

		return element(
			"button",
			{
				class: "lane-toggle",
				type: "button",
				"data-role": "toggle",
				"aria-expanded": String(group.open),
				"aria-label": "Lanes of " + this.heardName(group, name),
				title,
				onclick: () => this.layout.toggle(group),
			},
			element("span", { class: "chevron", "aria-hidden": "true" }),
			group.kind === "thread" ? threadSwatch(group.thread.number) : null,
			nameElement(name),
		);
	}

	/** @param {Group} group */
	factsOf(group) {
		if (group.kind === "process") return this.processFacts(group.process);
		if (group.kind === "asleep") return null;
		if (group.kind === "pool") {
			const { threads, full_ns } = group.pool.figures;

			return element(
				"span",
				{ class: "lane-facts" },
				[
					group.open ? manyText(threads, "thread") : "",
					full_ns
						? `${threads > 1 ? "all " : ""}busy ` +
							percentText(full_ns, this.recording.end)
						: "",
				]
					.filter(Boolean)
					.join(" · "),
			);
		}
		if (group.kind === "gil") {
			const { held_ns, contended_ns, unknown_ns } = group.gil.figures,
				whole = this.recording.end,
				{ processes } = this.recording.report,
				off = processes[group.gil.process].gil === "off",
				unseen = !held_ns && !contended_ns && (off || unknown_ns > whole / 2),
				instead = off ? "off (free-threaded)" : "unknown";

			return element(
				"span",
				{ class: "lane-facts" },
				unseen ? instead : `held ${percentText(held_ns, whole)}`,
			);
		}
		const { thread } = group,
			figures = thread.figures;

		return element(
			"span",
			{ class: "lane-facts" },
			thread.loop ? element("span", { class: "badge" }, "loop") : null,
			thread.poller ? element("span", { class: "badge" }, "poller") : null,
			thread.gone ? element("span", { class: "badge quiet" }, "gone") : null,
			element("span", { class: "lane-tid" }, this.recording.whichText(thread)),
			element(
				"span",
				{
					class: "lane-share",
					title: `${exactText(figures.states.python)} running Python`,
				},
				percentText(figures.states.python, this.recording.end) +
					(group.open ? " Python" : ""),
			),
		);
	}

	/** @param {Group} group @param {Row} row */
	caption(group, row) {
		const names = {
			hold: "",
			waiters: "waiting",
			turns: "iterations",
			busy: "",
			states: "",
			flame: "",
		};

		if (row.kind === "flame")
			return element(
				"button",
				{
					class: "lane-caption",
					type: "button",
					"data-role": "whole",
					"aria-label":
						(group.whole ? "fold frames" : "all frames") + ` of ${row.thread.short}`,
					"aria-pressed": String(group.whole),
					title: group.whole
						? "Fold the frames of packages and of the standard library"
						: "Show stacks with all their frames",
					onclick: () => {
						group.whole = !group.whole;
						this.layout.place();
						this.layout.onchange();
					},
				},
				group.whole ? "fold frames" : "all frames",
			);
		return names[row.kind] ? element("span", { class: "lane-caption" }, names[row.kind]) : null;
	}

	/** @param {Gil} gil */
	gilText(gil) {
		const several =
			this.recording.gils.filter((other) => other.process === gil.process).length > 1;

		return several ? `GIL ${gil.interpreter}` : "GIL";
	}

	/* What its event loops had, for one that is folded. */
	/** @param {number} number */
	processFacts(number) {
		const { count, ns } = this.recording.stalledOf(number);

		if (!this.recording.report.processes[number].loops.length)
			return element("span", { class: "lane-facts" }, "no event loop");
		return element(
			"span",
			{ class: "lane-facts" },
			count ? `${manyText(count, "stall")}, ${durationText(ns)}` : "no stall",
		);
	}

	/** @param {number} number */
	processText(number) {
		const { pid, title } = this.recording.processes[number];

		return `process ${pid} · ${title}`;
	}
}

/* A name whose end stays in sight when it is too long, with "…" before that. */
/** @param {string} text */
function nameElement(text) {
	const characters = Array.from(plainText(text)),
		end = characters.length > 2 * NAME_END ? NAME_END : 0;

	return element(
		"span",
		{ class: "lane-name" },
		element("span", { class: "name-begin" }, characters.slice(0, -end || undefined).join("")),
		end ? element("span", { class: "name-end" }, characters.slice(-end).join("")) : null,
	);
}
