// SPDX-License-Identifier: MIT
/* The picture: all lanes in view, over the chosen window. */
"use strict";

/* From the bottom up: holding the GIL, waiting for it, running without it, waiting for a CPU,
 * asleep. */
const STATE_ORDER = [
	STATE_PYTHON,
	STATE_HELD_BLOCKED,
	STATE_HELD_RUNNABLE,
	STATE_GIL_WAIT,
	STATE_NATIVE,
	STATE_RUNNABLE,
	STATE_BLOCKED,
	STATE_UNKNOWN,
	STATE_IDLE,
];
const WIDE_PX = 34;

class Picture extends Canvas {
	/** @param {HTMLCanvasElement} canvas @param {Recording} recording */
	constructor(canvas, recording) {
		super(canvas);
		this.recording = recording;
		this.stateBoxes = new Boxes(STATE_NAMES.length);
		this.flames = new FlameDrawer(this);
		this.drawnRows = 0;
		this.prepared = "";
		this.loopLooks = this.threadLooks = /** @type {Look[]} */ ([]);
	}

	/* What depends on the theme and the screen. */
	prepare() {
		const key = `${this.ratio} ${themeValue("--surface")} ${forcedColours()}`;

		if (this.prepared === key) return;
		this.prepared = key;
		/** @param {Partial<Record<StateName, string>>} colours */
		const looks = (colours) =>
			STATE_NAMES.map((name) => ({
				colour: colours[name] ?? stateLook(name).colour,
				pattern: statePattern(this.context, name, this.ratio),
			}));

		/* A thread that is not a loop may sleep as long as it likes, so that is drawn paler. */
		this.loopLooks = looks({ idle: themeValue("--idle") });
		this.threadLooks = looks({
			idle: themeValue("--idle"),
			blocked: themeValue("--asleep"),
		});
		this.flames.forget();
	}

	/** @param {Scene & { marked: Uint8Array | null }} shape */
	draw({ view, layout, scroll, width, height, marked }) {
		this.fit(width, height);
		this.prepare();
		this.font(11);
		this.drawnRows = 0;
		this.drawGrid(view, layout, scroll);
		for (const row of layout.rows) {
			if (row.y + row.height <= scroll || row.y >= scroll + height) continue;
			const place = {
				y: this.px(row.y - scroll),
				height: this.px(row.height),
				columns: this.columns,
			};

			this.drawRow(row, view, place, marked);
		}
	}

	/**
	 * @param {Row} row
	 * @param {View} view
	 * @param {WideBand} place
	 * @param {Uint8Array | null} marked
	 */
	drawRow(row, view, place, marked) {
		if (!rowOwner(row).isRead) return;
		this.drawnRows++;
		switch (row.kind) {
			case "hold":
				return this.drawHolds(row.gil, view, place);
			case "waiters":
				return this.drawWaiters(row.gil, view, place);
			case "turns":
				return this.drawTurns(row.loop, view, place);
			case "busy":
				return drawBusy(this, row.pool, view, place);
			case "states":
				return this.drawStates(row.thread, view, place);
			case "flame":
				return this.flames.draw(row, view, place, marked);
		}
	}

	/* Lines at the ruler's ticks, and between the groups. */
	/** @param {View} view @param {Layout} layout @param {number} scroll */
	drawGrid(view, layout, scroll) {
		const { context } = this;

		context.fillStyle = themeValue("--grid");
		for (const time of ticks(view, 110).times)
			context.fillRect(
				Math.round(view.x(time) * this.ratio),
				0,
				Math.max(1, Math.floor(this.ratio)),
				this.rows,
			);
		context.fillStyle = themeValue("--line");
		for (const group of layout.groups)
			context.fillRect(0, this.px(group.y + group.height - scroll) - 1, this.columns, 1);
	}

	/**
	 * @param {string} text
	 * @param {number} x
	 * @param {number} width
	 * @param {Band} place
	 * @param {string} colour
	 */
	words(text, x, width, place, colour, qualified = false) {
		const room = Math.min(x + width, this.columns) - Math.max(x, 0) - 8 * this.ratio,
			shown = room > 12 * this.ratio ? this.fitting(text, room, qualified) : "";

		if (!shown) return;
		this.context.fillStyle = colour;
		this.context.fillText(
			shown,
			Math.max(x, 0) + 4 * this.ratio,
			place.y + place.height / 2 + this.ratio * 0.5,
		);
	}

	/** @param {Gil} gil @param {View} view @param {WideBand} place */
	drawHolds(gil, view, place) {
		const lane = gil.holdLane,
			order = Array.from({ length: lane.kindCount }, (_, kind) => kind),
			labels = /** @type {WideLabel[]} */ ([]);
		const boxes = new Boxes(lane.kindCount),
			low = [0],
			{ threads } = this.recording;

		collectShares(
			boxes,
			lane,
			view,
			place,
			order,
			low,
			WIDE_PX * this.ratio,
			(kind, x, width, entry) =>
				kind && labels.push([x, width, threads[lane.holder(entry)].short]),
		);
		boxes.paint(
			this.context,
			order.map((kind) => (kind ? { colour: holderColour(lane.slots[kind - 1]) } : null)),
			0,
		);
		for (const [x, width, text] of labels) this.words(text, x, width, place, "#ffffff");
	}

	/* How many threads waited for the GIL, on average, in every column: exact, as it is computed
	 * from the threads' own sums. */
	/** @param {Gil} gil @param {View} view @param {WideBand} place */
	drawWaiters(gil, view, place) {
		const lanes = this.recording.waitingLanes(gil),
			weights = new Float64Array(STATE_NAMES.length),
			boxes = new Boxes(1);
		const sums = new Float64Array(this.columns),
			most = Math.max(1, Math.min(8, lanes.length)),
			scale = this.columns / view.span / most;

		weights[STATE_GIL_WAIT] = 1;
		if (gil.waitersLane)
			addColumns(
				sums,
				gil.waitersLane,
				view,
				Float64Array.from({ length: WAITERS_MOST + 1 }, (_, waiters) => waiters),
			);
		else
			for (const lane of lanes.slice(0, lanes.length > WAITING_LANES_MOST ? 0 : lanes.length))
				addColumns(sums, lane, view, weights);
		for (let column = 0; column < this.columns; column++) {
			const height = Math.min(
				place.height,
				Math.ceil(sums[column] * scale * place.height - 0.02),
			);

			if (height > 0) boxes.add(0, column, place.y + place.height - height, 1, height);
		}
		boxes.paint(this.context, [{ colour: stateLook("gil_wait").colour }], 0);
	}

	/** @param {Loop} loop @param {View} view @param {WideBand} place */
	drawTurns(loop, view, place) {
		const { context } = this,
			looks = [
				null,
				{ colour: themeValue("--turn") },
				{ colour: themeValue("--turn-stall") },
			],
			boxes = new Boxes(3),
			labels = /** @type {WideLabel[]} */ ([]);

		collectShares(
			boxes,
			loop.turnLane,
			view,
			place,
			[TURN_STALL, TURN_SHORT, TURN_NONE],
			[0],
			WIDE_PX * this.ratio,
			(kind, x, width, entry) =>
				kind === TURN_SHORT &&
				labels.push([
					x,
					width,
					durationText(loop.turnLane.starts[entry + 1] - loop.turnLane.starts[entry]),
				]),
		);
		boxes.paint(context, looks, 0);
		for (const [x, width, text] of labels)
			this.words(text, x, width, place, themeValue("--text"));
		this.drawStalls(loop, view, place);
	}

	/* Stalls are outlined in the colour of their cause and, where there is room, labelled. */
	/** @param {Loop} loop @param {View} view @param {WideBand} place */
	drawStalls(loop, view, place) {
		const { context, ratio } = this,
			scale = this.columns / view.span,
			line = Math.max(2, Math.round(2 * ratio));
		let before = -1;

		for (const stall of this.recording.stalls) {
			if (
				stall.loop !== loop.number ||
				stall.end_ns <= view.from ||
				stall.start_ns >= view.until
			)
				continue;
			const left = Math.round((stall.start_ns - view.from) * scale),
				right = Math.max(left + line, Math.round((stall.end_ns - view.from) * scale));

			if (right <= before) continue;
			before = right;
			const look = stateLook(stall.cause),
				x = Math.max(-line, left),
				width = Math.min(this.columns + line, right) - x;

			context.fillStyle = look.colour;
			context.fillRect(x, place.y, width, place.height);
			if (width > 4 * line) {
				context.fillStyle = themeValue("--surface");
				context.globalAlpha = 0.86;
				context.fillRect(
					x + line,
					place.y + line,
					width - 2 * line,
					place.height - 2 * line,
				);
				context.globalAlpha = 1;
				this.words(
					`${durationText(stall.end_ns - stall.start_ns)} ${stateLabel(stall.cause)}` +
						(stall.handler ? ` · ${stall.handler.function}` : ""),
					x + line,
					width - 2 * line,
					place,
					themeValue("--text"),
				);
			}
		}
	}

	/** @param {Thread} thread @param {View} view @param {WideBand} place */
	drawStates(thread, view, place) {
		const lane = thread.stateLane,
			boxes = this.stateBoxes,
			low = /** @type {(number | undefined)[]} */ ([]),
			labels = /** @type {[x: number, width: number, kind: number, entry: number][]} */ ([]),
			collections = /** @type {[x: number, width: number][]} */ ([]),
			looks = thread.loop ? this.loopLooks : this.threadLooks;

		low[STATE_IDLE] = Math.max(2, this.px(3));
		boxes.clear();
		collectShares(
			boxes,
			lane,
			view,
			place,
			STATE_ORDER,
			low,
			2 * this.ratio,
			(kind, x, width, entry) => {
				if (lane.flags[entry] & PAGE_STATE_GC) collections.push([x, width]);
				if (width > WIDE_PX * this.ratio) labels.push([x, width, kind, entry]);
			},
		);
		boxes.paint(this.context, looks, 5 * this.ratio);
		this.context.fillStyle = "rgb(0 0 0 / 62%)";
		for (const [x, width] of collections)
			this.context.fillRect(x, place.y + place.height - this.px(3), width, this.px(3));
		if (place.height < 16 * this.ratio) return;
		for (const [x, width, kind, entry] of labels)
			if (kind !== STATE_IDLE) this.stateWords(thread, lane, x, width, kind, entry, place);
	}

	/**
	 * @param {Thread} thread
	 * @param {StateLane} lane
	 * @param {number} x
	 * @param {number} width
	 * @param {number} kind
	 * @param {number} entry
	 * @param {WideBand} place
	 */
	stateWords(thread, lane, x, width, kind, entry, place) {
		const call = lane.call(entry),
			name = STATE_NAMES[kind],
			label = labelOf(name, thread),
			pale = kind === STATE_BLOCKED && !thread.loop;
		const gc = lane.flags[entry] & PAGE_STATE_GC ? " · garbage collection" : "";

		this.words(
			call !== null && call >= 0
				? `${label} · ${this.recording.callText(call)}${gc}`
				: label + gc,
			x,
			width,
			place,
			pale ? themeValue("--text-soft") : stateLook(name).dark ? "#ffffff" : "#1a1a1a",
		);
	}
}

/* Adds to every column the time of each kind in it, times the kind's weight. */
/**
 * @param {Float64Array} sums
 * @param {Lane} lane
 * @param {View} view
 * @param {Float64Array} weights
 */
function addColumns(sums, lane, view, weights) {
	const columns = sums.length,
		nsPerColumn = view.span / columns,
		shares = new Float64Array(lane.kindCount);
	let column = Math.max(0, Math.floor((lane.begin - view.from) / nsPerColumn)),
		entry = 0;

	while (lane.count && column < columns) {
		const from = view.from + column * nsPerColumn,
			until = from + nsPerColumn;

		if (from >= lane.end) break;
		entry = lane.indexAt(from, entry);
		if (lane.starts[entry + 1] >= until) {
			const last = Math.min(
				columns,
				Math.max(
					column + 1,
					Math.floor((lane.starts[entry + 1] - view.from) / nsPerColumn),
				),
			);

			for (; column < last; column++)
				sums[column] += nsPerColumn * weights[lane.kinds[entry]];
			continue;
		}
		shares.fill(0);
		lane.addBetween(from, until, entry, lane.indexAt(until, entry), shares);
		for (let kind = 0; kind < shares.length; kind++)
			sums[column] += shares[kind] * weights[kind];
		column++;
	}
}
