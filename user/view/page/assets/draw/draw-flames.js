// SPDX-License-Identifier: MIT
/* Flame lanes: the functions of a thread over time, callers above callees. A pixel column shows the
 * longest of its stacks. */
"use strict";

class FlameDrawer {
	/** @param {Picture} picture */
	constructor(picture) {
		this.picture = picture;
		this.stacks = picture.recording.stacks;
		this.colours = /** @type {string[]} */ ([]);
	}

	forget() {
		this.colours = [];
	}

	/* As #rrggbb, which canvas parses fastest. */
	/** @param {number} number */
	colourOf(number) {
		let colour = this.colours[number];

		if (!colour) {
			const [name, file] = this.stacks.functions[number],
				{ context } = this.picture;

			context.fillStyle = functionColour(name, file, darkTheme());
			this.colours[number] = colour = String(context.fillStyle);
		}
		return colour;
	}

	/* Runs of neighbouring columns with the same stack and the same of asleep and awake: [stack,
	 * asleep, first column, last + 1]. */
	/** @param {Thread} thread @param {View} view @param {number} columns */
	runs(thread, view, columns) {
		const lane = thread.stackLane,
			states = thread.stateLane,
			nsPerColumn = view.span / columns,
			runs = /** @type {FlameRun[]} */ ([]);
		let column = Math.max(0, Math.floor((lane.begin - view.from) / nsPerColumn)),
			entry = 0,
			state = 0;

		while (lane.count && column < columns) {
			const from = view.from + column * nsPerColumn,
				until = from + nsPerColumn;
			let last = column + 1,
				shown = 0;

			if (from >= lane.end) break;
			entry = lane.indexAt(from, entry);
			if (lane.starts[entry + 1] >= until) {
				last = Math.min(
					columns,
					Math.max(last, Math.floor((lane.starts[entry + 1] - view.from) / nsPerColumn)),
				);
				shown = entry;
			} else {
				shown = lane.longestOf(entry, lane.indexAt(until, entry));
			}
			state = states.indexAt(Math.max(lane.starts[shown], view.from), state);
			addRun(
				runs,
				lane.stacks[shown],
				Boolean(STATE_SLEEPS[states.kinds[state]]),
				column,
				last,
			);
			column = last;
		}
		return runs;
	}

	/**
	 * @param {FlameRow} row
	 * @param {View} view
	 * @param {WideBand} place
	 * @param {Uint8Array | null} marked
	 */
	draw(row, view, place, marked) {
		const runs = this.runs(row.thread, view, place.columns),
			height = this.picture.px(FLAME_ROW_HEIGHT_PX),
			{ rows } = row.thread;
		const paths = runs.map(([stack]) => (stack ? rows.path(stack, row.whole) : null));

		for (let depth = 0; depth < row.shown; depth++) {
			let at = 0;

			while (at < runs.length) {
				const node = paths[at]?.[depth],
					asleep = runs[at][1],
					first = runs[at][2];
				let last = runs[at][3],
					next = at + 1;

				for (
					;
					next < runs.length &&
					paths[next]?.[depth] === node &&
					runs[next][1] === asleep &&
					runs[next][2] === last;
					next++
				)
					last = runs[next][3];
				if (node)
					this.drawBox(
						node,
						asleep,
						first,
						last - first,
						{
							y: place.y + depth * height,
							height: height - Math.max(1, Math.floor(this.picture.ratio)),
						},
						marked,
					);
				at = next;
			}
		}
	}

	/* Only wide boxes have a gap between them: narrow ones would vanish. */
	/**
	 * @param {number} node
	 * @param {boolean} asleep
	 * @param {number} x
	 * @param {number} width
	 * @param {Band} place
	 * @param {Uint8Array | null} marked
	 */
	drawBox(node, asleep, x, width, place, marked) {
		const { context, ratio } = this.picture,
			number = this.stacks.function[node],
			found = marked?.[node];

		context.globalAlpha = marked && !found ? 0.22 : asleep ? 0.5 : 1;
		context.fillStyle = found ? themeValue("--found") : this.colourOf(number);
		context.fillRect(
			x,
			place.y,
			width - (width > 3 * ratio ? Math.max(1, Math.floor(ratio)) : 0),
			place.height,
		);
		context.globalAlpha = marked && !found ? 0.5 : asleep ? 0.72 : 1;
		if (width > 26 * ratio)
			this.picture.words(
				this.stacks.functions[number][0] || "?",
				x,
				width,
				place,
				found ? themeValue("--mark-text") : themeValue("--flame-text"),
				true,
			);
		context.globalAlpha = 1;
	}
}

/**
 * @param {FlameRun[]} runs
 * @param {number} stack
 * @param {boolean} asleep
 * @param {number} first
 * @param {number} last
 */
function addRun(runs, stack, asleep, first, last) {
	const before = runs[runs.length - 1];

	if (before && before[0] === stack && before[1] === asleep && before[3] === first)
		before[3] = last;
	else runs.push([stack, asleep, first, last]);
}
