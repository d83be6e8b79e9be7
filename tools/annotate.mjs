// SPDX-License-Identifier: MIT
// Cuts a picture of the timeline page to the lanes that matter, and labels places in it.

const STRIP = 38, // the height of the labels' strips above and below the lanes
	GAP = 10,
	PADDING = 9,
	MARGIN = (STRIP - 24) / 2;
const SVG = "http://www.w3.org/2000/svg";
const INK = { light: "#b3123f", dark: "#c2185b" };

/* Unfolds the lane whose label begins with a name, if need be from among the sleeping threads. Runs
 * in the page. */
function unfold(name) {
	const nameOf = (label) => label.querySelector(".lane-name").textContent,
		named = () =>
			[...document.querySelectorAll(".lane-label")].filter((label) =>
				nameOf(label).startsWith(name),
			);

	if (!named().length) document.querySelector(".lane-asleep.closed .lane-toggle")?.click();
	for (const label of named().filter(({ className }) => className.includes("closed")))
		label.querySelector(".lane-toggle").click();
}

/* Where a mark points to, in CSS pixels. A mark names a lane by its label (the `number`th of that
 * name, from 0), and one of its rows. Its instant is a share (`at`) of the window, or of the
 * longest time that the thread `of` was in `state`. Runs in the page. */
function pointOf({ lane, number = 0, row, of = lane, state, at = 0.5 }) {
	const labels = (name) =>
		[...document.querySelectorAll(".lane-label")]
			.filter((label) => label.querySelector(".lane-name")?.textContent.startsWith(name))
			.sort((a, b) => a.offsetTop - b.offsetTop);
	const { gilscope } = window,
		place = labels(lane)[number]?.getBoundingClientRect(),
		top = document.getElementById("labels").getBoundingClientRect().top,
		{ from, until } = gilscope.window;
	const found = gilscope.rows.find(
		({ kind, y }) => kind === row && y + top >= place?.top && y + top < place?.bottom,
	);
	/* the longest run of steps in most of which the thread was in the state */
	const longest = () => {
		const thread = Number(labels(of)[of === lane ? number : 0]?.dataset.thread),
			parts = 2000,
			step = (until - from) / parts;
		let best = [from, from];

		for (let begin = from, part = 0; part <= parts; part++) {
			const now = from + part * step,
				spent = part < parts ? gilscope.sums(thread, now, now + step)[state] : 0;

			if (now - begin > best[1] - best[0]) best = [begin, now];
			if (spent <= step / 2) begin = now + step;
		}
		return best;
	};

	if (!found) throw new Error(`no row of ${row} in the lane ${lane}`);
	const [begin, end] = state ? longest() : [from, until];

	if (begin === end) throw new Error(`${of} is never ${state}`);
	return {
		x:
			document.getElementById("pictures").getBoundingClientRect().left +
			gilscope.xOf(begin + at * (end - begin)),
		y: top + found.y + Math.min(found.height, 20) / 2,
	};
}

/* The part of the page from the ruler to the end of a lane. Runs in the page. */
function partOf(name) {
	const labels = [...document.querySelectorAll(".lane-label")].filter((label) =>
		label.querySelector(".lane-name")?.textContent.startsWith(name),
	);
	const bottoms = labels.map((label) => label.getBoundingClientRect().bottom);

	if (!labels.length) throw new Error(`no lane ${name}`);
	return {
		top: document.getElementById("ruler-row").getBoundingClientRect().top,
		bottom: Math.max(...bottoms),
		width: window.innerWidth,
		dark: matchMedia("(prefers-color-scheme: dark)").matches,
		paper: getComputedStyle(document.documentElement).getPropertyValue("--surface"),
	};
}

/* The widths of words as labels. Runs in the page. */
function measure(words) {
	const context = document.createElement("canvas").getContext("2d");

	context.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
	return words.map((text) => context.measureText(text).width);
}

/* Places the labels of a strip side by side, each as near to its point as there is room. */
function place(marks, width) {
	let left = GAP,
		right = width - GAP;

	marks.sort((a, b) => a.x - b.x);
	for (const mark of marks) {
		mark.left = Math.max(left, mark.x - mark.length / 2);
		left = mark.left + mark.length + GAP;
	}
	for (const mark of marks.toReversed()) {
		mark.left = Math.min(mark.left, right - mark.length);
		right = mark.left - GAP;
	}
	if (right < 0) throw new Error("the labels have no room side by side");
}

/* One label in the strip that begins at `y`, and its arrow: down or up. */
function drawn({ words, x, y: to, left, length }, y, down, ink, paper) {
	const start = Math.min(Math.max(x, left + 12), left + length - 12),
		begin = down ? y + STRIP - MARGIN : y + MARGIN,
		tip = to - (down ? 6 : -6),
		middle = (begin + tip) / 2,
		text = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
	const curve = `M${start} ${begin} C${start} ${middle} ${x} ${middle} ${x} ${tip}`,
		head = `M${x} ${to} l-5 ${down ? -9 : 9} h10 z`;

	return `<path d="${curve}" fill="none" stroke="${paper}" stroke-width="5"/>
<path d="${head}" fill="${ink}" stroke="${paper}" stroke-width="3"/>
<path d="${curve}" fill="none" stroke="${ink}" stroke-width="2"/>
<path d="${head}" fill="${ink}"/>
<rect x="${left}" y="${y + MARGIN}" width="${length}" height="${STRIP - 2 * MARGIN}" rx="5"
	fill="${ink}"/>
<text x="${left + PADDING}" y="${y + STRIP / 2 + 4.5}" fill="#ffffff" font-size="13"
	font-weight="600">${text}</text>`;
}

/* `until`: the label of the last lane in the picture; `marks`: {words, lane, …} as pointOf() reads
 * them. The labels of the last lane are below it, the others above all. Returns the rectangle that
 * is the picture. */
export async function annotate(page, { until, marks = [] }) {
	await page.waitForFunction(() => window.gilscope?.ready);
	for (const name of [until, ...marks.flatMap(({ lane, of = lane }) => [lane, of])])
		await page.evaluate(unfold, name);
	await page.waitForTimeout(200);
	const { top, bottom, width, dark, paper } = await page.evaluate(partOf, until),
		lengths = await page.evaluate(
			measure,
			marks.map(({ words }) => words),
		),
		labels = [];

	for (const [i, mark] of marks.entries())
		labels.push({
			words: mark.words,
			down: mark.lane !== until,
			length: lengths[i] + 2 * PADDING,
			...(await page.evaluate(pointOf, mark)),
		});
	const above = labels.filter(({ down }) => down),
		below = labels.filter(({ down }) => !down);
	const strip = (here, y, down) => {
		place(here, width);
		return `<rect y="${y - 2}" width="${width}" height="${STRIP + 4}" fill="${paper}"/>
${here.map((label) => drawn(label, y, down, INK[dark ? "dark" : "light"], paper)).join("\n")}`;
	};

	await page.evaluate(
		([svg, namespace]) => {
			const picture = document.createElementNS(namespace, "svg");

			picture.style.cssText =
				"position: fixed; inset: 0; width: 100%; height: 100%; z-index: 1000";
			picture.innerHTML = svg;
			document.body.append(picture);
		},
		[
			(above.length ? strip(above, top - STRIP, true) : "") +
				(below.length ? strip(below, bottom, false) : ""),
			SVG,
		],
	);
	const from = top - (above.length ? STRIP : 0);

	return {
		x: 0,
		y: from,
		width,
		height: bottom + (below.length ? STRIP : 0) - from,
	};
}
