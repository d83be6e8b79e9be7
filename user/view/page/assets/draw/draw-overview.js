// SPDX-License-Identifier: MIT
/* The whole recording at a glance: the lengths of the loops' turns on a logarithmic scale, stalls
 * in the colour of their cause. And the ruler of the chosen window. */
"use strict";

class Overview extends Canvas {
	/** @param {HTMLCanvasElement} canvas @param {Recording} recording */
	constructor(canvas, recording) {
		super(canvas);
		this.recording = recording;
	}

	/** @param {number} width @param {number} height */
	draw(width, height) {
		this.fit(width, height);
		if (this.recording.hasTurns)
			this.drawTurns(this.recording.loops.filter((loop) => loop.turnLane));
		else this.drawHolds();
	}

	/** @param {Loop[]} loops */
	drawTurns(loops) {
		const { context, recording, columns, rows } = this,
			longest = new Float64Array(columns),
			stallNs = recording.report.stall_ns;

		for (const loop of loops)
			loop.turnLane
				.longestBy(0, recording.end, columns)
				.forEach((length, column) => (longest[column] = Math.max(longest[column], length)));
		const most = longest.reduce((a, b) => Math.max(a, b), stallNs * 2),
			least = Math.min(1e5, stallNs / 10);
		/** @param {number} length */
		const heightOf = (length) =>
			length <= least
				? this.px(1)
				: this.px(1) +
					Math.round(
						(Math.log(length / least) / Math.log(most / least)) * (rows - this.px(3)),
					);

		context.fillStyle = themeValue("--overview-bar");
		for (let column = 0; column < columns; column++)
			if (longest[column])
				context.fillRect(
					column,
					rows - heightOf(longest[column]),
					1,
					heightOf(longest[column]),
				);
		this.drawThreshold(rows - heightOf(stallNs));
		for (const stall of [...recording.stalls].sort(STALL_ORDERS.length.compare)) {
			const x = Math.round((stall.start_ns / recording.end) * columns),
				right = Math.round((stall.end_ns / recording.end) * columns);
			const height = heightOf(stall.end_ns - stall.start_ns);

			const width = Math.max(this.px(2), right - x);

			context.fillStyle = themeValue("--surface");
			context.fillRect(x, rows - height, width, height);
			context.fillStyle = stateLook(stall.cause).colour;
			context.globalAlpha = width > this.px(6) ? 0.72 : 1;
			context.fillRect(x, rows - height, width, height);
			context.globalAlpha = 1;
			context.fillRect(x, rows - height, width, this.px(3));
		}
	}

	/** @param {number} y */
	drawThreshold(y) {
		const { context } = this;

		context.fillStyle = themeValue("--line-strong");
		for (let x = 0; x < this.columns; x += this.px(6))
			context.fillRect(x, y, this.px(3), Math.max(1, Math.floor(this.ratio)));
	}

	/* Without a loop: who held the GIL. */
	drawHolds() {
		const { recording, context, columns, rows } = this,
			gil = recording.gils.find(({ holdLane }) => holdLane?.holds),
			view = new View(recording.end);

		if (!gil) return;
		const lane = gil.holdLane,
			order = Array.from({ length: lane.kindCount }, (_, kind) => kind),
			boxes = new Boxes(lane.kindCount);

		collectShares(
			boxes,
			lane,
			view,
			{ y: this.px(3), height: rows - this.px(3), columns },
			order,
			[0],
		);
		boxes.paint(
			context,
			order.map((kind) => (kind ? { colour: holderColour(lane.slots[kind - 1]) } : null)),
			0,
		);
	}
}

class Ruler extends Canvas {
	/** @param {View} view @param {number} width @param {number} height */
	draw(view, width, height) {
		const { context } = this;

		this.fit(width, height);
		this.font(10.5);
		const { step, times } = ticks(view, tickRoom(view));

		for (const time of times) {
			const x = Math.round(view.x(time) * this.ratio);

			context.fillStyle = themeValue("--line-strong");
			context.fillRect(
				x,
				this.rows - this.px(6),
				Math.max(1, Math.floor(this.ratio)),
				this.px(6),
			);
			context.fillStyle = themeValue("--text-soft");
			context.fillText(tickText(time, step), x + this.px(4), this.rows / 2 - this.px(1));
		}
	}
}
