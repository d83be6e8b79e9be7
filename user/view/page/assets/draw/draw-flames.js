// SPDX-License-Identifier: MIT
/* Flame lanes: the functions of a thread over time, callers above callees. A pixel column shows the
 * longest of its stacks. */
"use strict";

const FOLD = -1; /* in place of a function's number */

class FlameDrawer {
	/** @param {Picture} picture */
	constructor(picture) {
		this.picture = picture;
		this.stacks = picture.recording.stacks;
		this.colours = /** @type {Map<number, string>} */ (new Map());
		this.forced = forcedColours();
	}

	forget() {
		this.colours.clear();
		this.forced = forcedColours();
	}

	/** @param {number} number of a function, FOLD for a fold */
	ownerOf(number) {
		return number === FOLD ? OWNER_FOLDED : this.stacks.owners[number];
	}

	/* As #rrggbb, which canvas parses fastest. */
	/** @param {number} number */
	colourOf(number) {
		let colour = this.colours.get(number);

		if (!colour) {
			const { context } = this.picture,
				owner = this.ownerOf(number),
				name = number === FOLD ? "" : this.stacks.functions[number][0];

			context.fillStyle = this.forced
				? themeValue(OWNER_FORCED[owner][0])
				: ownerColour(owner, name, darkTheme());
			this.colours.set(number, (colour = String(context.fillStyle)));
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
		const paths = runs.map(([stack]) => (stack ? rows.path(stack, row.whole) : []));
		/** @param {number} at @param {number} node */
		const isFound = (at, node) =>
			marked && node ? rows.isMarked(runs[at][0], node, marked) : false;

		for (let depth = 0; depth < row.shown; depth++) {
			const band = {
				y: place.y + depth * height,
				height: height - Math.max(1, Math.floor(this.picture.ratio)),
			};
			let at = 0;

			while (at < runs.length) {
				const [, asleep, first] = runs[at],
					node = paths[at][depth] ?? 0,
					found = isFound(at, node);
				let last = runs[at][3],
					next = at + 1;

				for (
					;
					next < runs.length &&
					(paths[next][depth] ?? 0) === node &&
					runs[next][1] === asleep &&
					runs[next][2] === last &&
					isFound(next, node) === found;
					next++
				)
					last = runs[next][3];
				if (node)
					this.drawBox(
						rows,
						node,
						marked ? (found ? "found" : "faded") : asleep ? "asleep" : "plain",
						first,
						last - first,
						band,
					);
				at = next;
			}
		}
	}

	/* What a row's box says. */
	/** @param {FlameRows} rows @param {number} row */
	textOf(rows, row) {
		if (row < 0) return `${rows.isOpen(row) ? "▾" : "▸"} ${rows.folds.list[-row].text}`;
		return this.stacks.functions[this.stacks.function[row]][0] || "?";
	}

	/* Only wide boxes have a gap between them: narrow ones would vanish. */
	/**
	 * @param {FlameRows} rows
	 * @param {number} row
	 * @param {keyof typeof BOX_ALPHAS} look
	 * @param {number} x
	 * @param {number} width
	 * @param {Band} place
	 */
	drawBox(rows, row, look, x, width, place) {
		const { context, ratio } = this.picture,
			gap = width > 3 * ratio ? Math.max(1, Math.floor(ratio)) : 0,
			found = look === "found",
			number = row < 0 ? FOLD : this.stacks.function[row],
			[boxAlpha, textAlpha] = BOX_ALPHAS[this.forced && look === "asleep" ? "plain" : look];

		context.globalAlpha = boxAlpha;
		context.fillStyle = found ? themeValue("--found") : this.colourOf(number);
		context.fillRect(x, place.y, width - gap, place.height);
		if (gap && this.forced) this.frameBox(x, width - gap, place);
		context.globalAlpha = textAlpha;
		if (width > 26 * ratio)
			this.picture.words(
				this.textOf(rows, row),
				x,
				width,
				place,
				themeValue(found ? "--mark-text" : this.inkOf(number)),
				number !== FOLD,
			);
		context.globalAlpha = 1;
	}

	/** @param {number} number */
	inkOf(number) {
		return this.forced ? OWNER_FORCED[this.ownerOf(number)][1] : "--flame-text";
	}

	/* With the reader's two colours a box needs a line around it. */
	/** @param {number} x @param {number} width @param {Band} place */
	frameBox(x, width, { y, height }) {
		const { context, ratio } = this.picture;

		context.strokeStyle = themeValue("--text");
		context.lineWidth = ratio;
		context.strokeRect(x + ratio / 2, y + ratio / 2, width - ratio, height - ratio);
	}
}

/* How opaque a box is, and its text. */
const BOX_ALPHAS = { plain: [1, 1], asleep: [0.5, 0.8], found: [1, 1], faded: [0.22, 0.5] };

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
