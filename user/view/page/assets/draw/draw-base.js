// SPDX-License-Identifier: MIT
/*
 * What all drawings share. Boxes are collected by colour and painted colour by colour, on whole
 * device pixels, so that edges are crisp. A pixel column with several entries is divided among
 * their kinds by time: nothing is left out or exaggerated at any zoom.
 */
"use strict";

/* Boxes of one picture, by kind. Neighbours of equal height become one. */
class Boxes {
	/** @param {number} kindCount */
	constructor(kindCount) {
		this.lists = Array.from({ length: kindCount }, () => /** @type {number[]} */ ([]));
	}

	clear() {
		for (const list of this.lists) list.length = 0;
	}

	/**
	 * @param {number} kind
	 * @param {number} x
	 * @param {number} y
	 * @param {number} width
	 * @param {number} height
	 */
	add(kind, x, y, width, height) {
		const list = this.lists[kind],
			at = list.length - 4;

		if (
			at >= 0 &&
			list[at] + list[at + 2] === x &&
			list[at + 1] === y &&
			list[at + 3] === height
		)
			list[at + 2] += width;
		else list.push(x, y, width, height);
	}

	/* `looks`: by kind {colour, pattern}; patterns are only for boxes wide enough to show them. */
	/**
	 * @param {CanvasRenderingContext2D} context
	 * @param {(Look | null)[]} looks
	 * @param {number} patternFrom
	 */
	paint(context, looks, patternFrom) {
		this.lists.forEach((list, kind) => {
			const look = looks[kind];

			if (!list.length || !look) return;
			context.fillStyle = look.colour;
			for (let i = 0; i < list.length; i += 4)
				if (!look.pattern || list[i + 2] < patternFrom)
					context.fillRect(list[i], list[i + 1], list[i + 2], list[i + 3]);
			if (!look.pattern) return;
			context.fillStyle = look.pattern;
			for (let i = 0; i < list.length; i += 4)
				if (list[i + 2] >= patternFrom)
					context.fillRect(list[i], list[i + 1], list[i + 2], list[i + 3]);
		});
	}
}

/*
 * Collects a lane's boxes. `place`: {y, height, columns} in device pixels; `order`: the kinds from
 * the bottom up; `low`: kinds drawn as a line of so many pixels at the bottom (0: not at all),
 * because nothing happens there. `onwide(kind, x, width, entry)` is called for every entry wide
 * enough for a label.
 */
/**
 * @param {Boxes} boxes
 * @param {Lane} lane
 * @param {View} view
 * @param {WideBand} place
 * @param {number[]} order
 * @param {(number | undefined)[]} low
 * @param {number} wideFrom
 * @param {OnWide} onwide
 */
function collectShares(
	boxes,
	lane,
	view,
	place,
	order,
	low,
	wideFrom = Infinity,
	onwide = () => {},
) {
	const { y, height, columns } = place,
		{ starts, kinds, kindCount } = lane,
		nsPerColumn = view.span / columns,
		shares = new Float64Array(kindCount);
	let column = Math.max(0, Math.floor((lane.begin - view.from) / nsPerColumn)),
		entry = 0;
	/** @param {number} kind @param {number} first @param {number} last */
	const run = (kind, first, last) => {
		const tall = low[kind] ?? height;

		if (tall > 0) boxes.add(kind, first, y + height - tall, last - first, tall);
	};

	while (lane.count && column < columns) {
		const from = view.from + column * nsPerColumn,
			until = from + nsPerColumn;

		if (from >= lane.end) break;
		entry = lane.indexAt(from, entry);
		if (starts[entry + 1] >= until) {
			const last = Math.min(
				columns,
				Math.max(column + 1, Math.floor((starts[entry + 1] - view.from) / nsPerColumn)),
			);

			run(kinds[entry], column, last);
			if (last - column >= wideFrom) onwide(kinds[entry], column, last - column, entry);
			column = last;
			continue;
		}
		const end = lane.indexAt(until, entry);

		if (end - entry === 1) {
			run(kinds[starts[end] - from > until - starts[end] ? entry : end], column, column + 1);
		} else {
			shares.fill(0);
			lane.addBetween(from, until, entry, end, shares);
			stackShares(boxes, shares, nsPerColumn, column, place, order, low);
		}
		column++;
	}
}

/**
 * @param {Boxes} boxes
 * @param {Float64Array} shares
 * @param {number} whole
 * @param {number} column
 * @param {Band} shape
 * @param {number[]} order
 * @param {(number | undefined)[]} low
 */
function stackShares(boxes, shares, whole, column, { y, height }, order, low) {
	let sum = 0,
		bottom = 0;

	for (const kind of order) {
		if (!shares[kind] || low[kind] !== undefined) continue;
		sum += shares[kind];
		const top = Math.round((sum / whole) * height);

		if (top > bottom) boxes.add(kind, column, y + height - top, 1, top - bottom);
		bottom = Math.max(bottom, top);
	}
	for (const kind of order) {
		const tall = low[kind] ?? 0;

		if (tall > bottom && shares[kind])
			boxes.add(kind, column, y + height - tall, 1, tall - bottom);
	}
}

/* A picture on a canvas, as sharp as the screen. Call `fit()` before drawing; drawing is in device
 * pixels, `ratio` of them per CSS pixel. */
const PAPER_RATIO = 2; /* device pixels per CSS pixel, in print */

class Canvas {
	/** @param {HTMLCanvasElement} canvas */
	constructor(canvas) {
		this.canvas = canvas;
		this.context = penOf(canvas);
		this.textWidths = new Map();
		this.currentFont = "";
		this.ratio = this.columns = this.rows = 1;
	}

	/** @param {number} width @param {number} height */
	fit(width, height) {
		this.ratio = document.documentElement.classList.contains("paper")
			? PAPER_RATIO
			: devicePixelRatio || 1;
		this.columns = Math.max(1, Math.round(width * this.ratio));
		this.rows = Math.max(1, Math.round(height * this.ratio));
		if (this.canvas.width !== this.columns || this.canvas.height !== this.rows) {
			this.canvas.width = this.columns;
			this.canvas.height = this.rows;
		}
		this.canvas.style.width = `${width}px`;
		this.canvas.style.height = `${height}px`;
		this.context.setTransform(1, 0, 0, 1, 0, 0);
		this.context.clearRect(0, 0, this.columns, this.rows);
	}

	/** @param {number} length */
	px(length) {
		return Math.round(length * this.ratio);
	}

	/** @param {number} size */
	font(size, weight = "") {
		const font = `${weight} ${size * this.ratio}px ${themeValue("--font")}`;

		if (this.currentFont !== font) this.textWidths.clear();
		this.currentFont = font;
		this.context.font = font;
		this.context.textBaseline = "middle";
	}

	/** @param {string} text */
	textWidth(text) {
		let width = this.textWidths.get(text);

		if (width === undefined) {
			if (this.textWidths.size > 20000) this.textWidths.clear();
			this.textWidths.set(text, (width = this.context.measureText(text).width));
		}
		return width;
	}

	/* As much of a text as fits: a qualified name's last part, then its begin and its end. */
	/** @param {string} text @param {number} room @param {boolean} qualified */
	fitting(text, room, qualified) {
		if (this.textWidth(text) <= room) return text;
		const last = qualified ? text.slice(text.lastIndexOf(".") + 1) : text,
			width = this.textWidth(last);

		if (width <= room) return last;
		for (
			let count = Math.floor((last.length * (room - this.textWidth("…"))) / width);
			count > 1;
			count--
		) {
			const shown = middleCut(last, count);

			if (this.textWidth(shown) <= room) return shown;
		}
		return "";
	}
}

let themeStyle = null;
const themeValues = new Map();

/* A custom property of theme.css. */
/** @param {string} name */
function themeValue(name) {
	if (!themeValues.has(name)) {
		themeStyle ??= getComputedStyle(document.documentElement);
		themeValues.set(name, plainColour(themeStyle.getPropertyValue(name).trim()));
	}
	return themeValues.get(name);
}

/* A canvas need not know the reader's colours by their names (CanvasText, …). */
/** @param {string} value */
function plainColour(value) {
	if (!/\b(Canvas|CanvasText|GrayText|Highlight|HighlightText)\b/.test(value)) return value;
	const probe = element("span", { hidden: true });

	probe.style.color = value;
	probe.style.setProperty("forced-color-adjust", "none"); /* mixed ones as well */
	document.body.append(probe);
	const { color } = getComputedStyle(probe);

	probe.remove();
	return color;
}

function forgetTheme() {
	themeValues.clear();
}
