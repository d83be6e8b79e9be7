// SPDX-License-Identifier: MIT
/* Overlay of the picture, redrawn with the mouse: crosshair, hover, selection, and the arrow from a
 * wait to the holder of the GIL. */
"use strict";

class Over extends Canvas {
	/** @param {HTMLCanvasElement} canvas @param {Recording} recording */
	constructor(canvas, recording) {
		super(canvas);
		this.recording = recording;
		this.scene = /** @type {Scene} */ ({});
	}

	/** @param {OverScene} shape */
	draw({ view, layout, scroll, width, height, hover, selection, pointer }) {
		this.fit(width, height);
		this.scene = { view, layout, scroll, width, height };
		const onHover = hover && this.pair(hover),
			pair = onHover || (selection && this.pair(waitOf(this.recording, selection)));

		if (selection?.kind === "range") this.range(selection);
		if (onHover) this.veil(onHover);
		if (pointer) {
			this.context.fillStyle = themeValue("--crosshair");
			this.context.fillRect(
				this.px(pointer.x),
				0,
				Math.max(1, Math.floor(this.ratio)),
				this.rows,
			);
		}
		if (selection)
			for (const box of thingBoxes(this.recording, view, layout, selection))
				this.outline(box, themeValue("--accent"), 2);
		if (hover && !sameThing(hover, selection))
			for (const box of thingBoxes(this.recording, view, layout, hover))
				this.outline(box, themeValue("--text"), 1);
		if (pair) this.arrow(pair);
	}

	/* What is outside a range is dimmed, unless nothing of the range is in sight. */
	/** @param {RangeThing} shape */
	range({ from, until }) {
		const { context, scene } = this,
			left = this.px(Math.max(0, scene.view.x(from))),
			right = this.px(Math.min(scene.width, scene.view.x(until))),
			line = this.px(1);

		if (right < 0 || left > this.columns) return;
		context.fillStyle = themeValue("--range-veil");
		context.fillRect(0, 0, left, this.rows);
		context.fillRect(right, 0, this.columns - right, this.rows);
		context.fillStyle = themeValue("--accent");
		if (from >= scene.view.from) context.fillRect(left - line, 0, line, this.rows);
		if (until <= scene.view.until) context.fillRect(right, 0, line, this.rows);
	}

	/* A wait and the holds that caused it: boxes of the wait, of the GIL's lane, of the holder's
	 * lanes. Null for what is no wait, or has no certain holder. */
	/** @param {Thing} wait @returns {WaitPair | null} */
	pair(wait) {
		const { view, layout } = this.scene,
			holder = holderDuring(this.recording, wait);

		if (!holder) return null;
		const lane = this.recording.gils[holder.gil].holdLane;
		const states = layout.rowOf("states", this.recording.threads[holder.thread]),
			[from, until] = thingTimes(this.recording, wait);
		const holds = holder.all
			.slice(0, 200)
			.filter(([index]) => lane.holder(index) === holder.thread)
			.map(([index]) => [
				Math.max(lane.starts[index], from),
				Math.min(lane.starts[index + 1], until),
			]);
		/** @param {Row} row @param {number[]} shape */
		const box = (row, [a, b]) => ({
			x: view.x(a),
			y: row.y,
			width: Math.max(1, view.x(b) - view.x(a)),
			height: row.height,
		});
		const row = layout.rowOf("hold", this.recording.gils[holder.gil]);

		return {
			wait: thingBoxes(this.recording, view, layout, wait)[0],
			holder,
			main: [
				Math.max(lane.starts[holder.index], from),
				Math.min(lane.starts[holder.index + 1], until),
			],
			holds: row ? holds.map((times) => box(row, times)) : [],
			states: states ? holds.map((times) => box(states, times)) : [],
			target: states || row,
		};
	}

	/** @param {WaitPair} shape */
	veil({ wait, holds, states }) {
		const { context } = this;

		context.fillStyle = themeValue("--veil");
		context.fillRect(0, 0, this.columns, this.rows);
		for (const { x, y, width, height } of [...(wait ? [wait] : []), ...holds, ...states])
			context.clearRect(
				this.px(x),
				this.px(y - this.scene.scroll),
				Math.max(1, this.px(width)),
				this.px(height),
			);
	}

	/** @param {Box} shape @param {string} colour @param {number} line */
	outline({ x, y, width, height }, colour, line) {
		const { context, scene } = this,
			left = Math.max(-4, x),
			right = Math.min(scene.width + 4, x + Math.max(width, 2)),
			thick = this.px(line);

		if (right <= left) return;
		context.strokeStyle = colour;
		context.lineWidth = thick;
		context.strokeRect(
			this.px(left) - thick / 2,
			this.px(y - scene.scroll) - thick / 2,
			this.px(right - left) + thick,
			this.px(height) + thick,
		);
	}

	/** @param {WaitPair} shape */
	arrow({ wait, main, target }) {
		const { context, ratio, scene } = this,
			{ view, scroll, width } = scene;

		if (!wait || !target) return;
		/** @param {number} from @param {number} until */
		const middle = (from, until) =>
			Math.min(
				width - 8,
				Math.max(8, (Math.max(0, view.x(from)) + Math.min(width, view.x(until))) / 2),
			);
		const above = target.y < wait.y,
			x1 = Math.min(
				width - 8,
				Math.max(
					8,
					Math.max(0, wait.x) +
						Math.min(24, Math.min(wait.x + wait.width, width) - Math.max(0, wait.x)) /
							2,
				),
			);
		/* between close lanes the arrow goes from middle to middle: it needs some height to be
		 * visible */
		const gap = above ? wait.y - target.y - target.height : target.y - wait.y - wait.height,
			into = gap < 24 ? 0.5 : 0;
		const x2 = middle(...main),
			y1 = wait.y + wait.height * (above ? into : 1 - into) - scroll,
			y2 = target.y + target.height * (above ? 1 - into : into) - scroll;
		const bend = Math.min(60, Math.abs(y2 - y1) / 2 + 8) * (above ? -1 : 1),
			tip = 6 * (above ? 1 : -1);

		for (const [colour, line] of /** @type {[string, number][]} */ ([
			[themeValue("--surface"), 5],
			[themeValue("--text"), 1.75],
		])) {
			context.strokeStyle = context.fillStyle = colour;
			context.lineWidth = line * ratio;
			context.lineCap = "round";
			context.beginPath();
			context.moveTo(x1 * ratio, y1 * ratio);
			context.bezierCurveTo(
				x1 * ratio,
				(y1 + bend) * ratio,
				x2 * ratio,
				(y2 - bend) * ratio,
				x2 * ratio,
				(y2 + tip) * ratio,
			);
			context.stroke();
		}
		context.beginPath();
		context.moveTo(x2 * ratio, y2 * ratio);
		context.lineTo((x2 - 4.5) * ratio, (y2 + tip * 1.5) * ratio);
		context.lineTo((x2 + 4.5) * ratio, (y2 + tip * 1.5) * ratio);
		context.fill();
		context.beginPath();
		context.arc(x1 * ratio, y1 * ratio, 3 * ratio, 0, 7);
		context.fill();
	}
}
