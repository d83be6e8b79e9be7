// SPDX-License-Identifier: MIT
/*
 * Mouse, wheel and touch in the lanes and on the ruler. Dragging selects a range of time; with
 * Shift, with the middle button and on the ruler it pans, as a finger does. The wheel scrolls,
 * which the browser does; with Ctrl it zooms, and so does a pinch, which trackpads report as just
 * that.
 */
"use strict";

const CLICK_PX = 4,
	/* of a notch of the wheel; the small steps of a pinch are as large as the fingers' */
	ZOOM_MOST = 0.27,
	ZOOM_PER_PX = 0.01;

class Gestures {
	/** @param {Timeline} timeline */
	constructor(timeline) {
		this.timeline = timeline;
		this.root = byId("pictures");
		this.drag = /** @type {Drag | null} */ (null);
		this.pinch = /** @type {{ distance: number, time: number, span: number } | null} */ (null);
		this.fingers = /** @type {Map<number, { x: number, y: number }>} */ (new Map());
		for (const root of [this.root, byId("ruler")]) this.listen(root);
		byId("overview").addEventListener("wheel", (event) => this.wheel(event), {
			passive: false,
		});
		this.root.addEventListener("pointerleave", () => timeline.point(null));
		this.root.addEventListener("dblclick", () => timeline.zoomToSelection());
	}

	/** @param {HTMLElement} root */
	listen(root) {
		root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
		root.addEventListener("pointerdown", (event) => this.begin(event, root));
		root.addEventListener("pointermove", (event) => this.move(event, root));
		root.addEventListener("pointerup", (event) => this.end(event, root));
		root.addEventListener("pointercancel", (event) => this.forget(event));
		/* the middle button would scroll by itself */
		root.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
	}

	/** @param {MouseEvent} event */
	place(event) {
		const { left, top } = this.root.getBoundingClientRect();

		return {
			x: event.clientX - left,
			y: event.clientY - top,
			clientX: event.clientX,
			clientY: event.clientY,
		};
	}

	/** @param {PointerEvent} event @param {HTMLElement} root */
	begin(event, root) {
		const { timeline } = this,
			{ view } = timeline,
			{ x, y } = this.place(event),
			touch = event.pointerType === "touch";

		if (event.button > 1 || elementOf(event).closest("button")) return;
		root.setPointerCapture(event.pointerId);
		if (touch) this.fingers.set(event.pointerId, { x, y });
		this.drag = {
			pans: touch || event.shiftKey || event.button === 1 || root !== this.root,
			x,
			y,
			time: view.timeAt(x),
			from: view.from,
			scroll: timeline.lanes.scrollTop,
			moved: false,
		};
		if (this.fingers.size === 2) this.beginPinch();
	}

	/** @param {PointerEvent} event @param {HTMLElement} root */
	move(event, root) {
		const { drag } = this,
			place = this.place(event);

		if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, place);
		if (this.pinch) this.movePinch(this.pinch);
		else if (drag) this.moveDrag(drag, place);
		else if (root === this.root) this.timeline.point(place);
	}

	/** @param {Drag} drag @param {PointerPlace} place */
	moveDrag(drag, place) {
		const { timeline } = this,
			{ view } = timeline,
			dx = place.x - drag.x,
			dy = place.y - drag.y;

		if (!drag.moved && Math.hypot(dx, dy) <= CLICK_PX) return;
		drag.moved = true;
		timeline.point(null);
		this.root.classList.add(drag.pans ? "panning" : "selecting");
		if (!drag.pans) {
			timeline.selectRange(drag.time, view.timeAt(place.x));
			return;
		}
		const from = drag.from - (dx / view.width) * view.span;

		timeline.lanes.scrollTop = drag.scroll - dy;
		timeline.setWindow(from, from + view.span);
	}

	/** @param {PointerEvent} event @param {HTMLElement} root */
	end(event, root) {
		const { timeline, drag } = this;

		this.forget(event);
		if (drag && !drag.moved && !event.button && root === this.root)
			timeline.click(this.place(event));
		else if (drag?.moved && !drag.pans) timeline.choose(timeline.selection);
	}

	/** @param {PointerEvent} event */
	forget(event) {
		this.fingers.delete(event.pointerId);
		this.drag = this.pinch = null;
		this.root.classList.remove("panning", "selecting");
	}

	/* How far two fingers are apart, and where their middle is. */
	reach() {
		const [a, b] = [...this.fingers.values()];

		return { distance: Math.max(1, Math.hypot(b.x - a.x, b.y - a.y)), x: (a.x + b.x) / 2 };
	}

	beginPinch() {
		const { view } = this.timeline,
			{ distance, x } = this.reach();

		this.drag = null;
		this.pinch = { distance, time: view.timeAt(x), span: view.span };
	}

	/* The time between the fingers stays between them. */
	/** @param {{ distance: number, time: number, span: number }} begun */
	movePinch(begun) {
		const { view } = this.timeline,
			{ distance, x } = this.reach(),
			span = (begun.span * begun.distance) / distance,
			from = begun.time - (x / view.width) * span;

		this.timeline.setWindow(from, from + span);
	}

	/** @param {WheelEvent} event */
	wheel(event) {
		const { timeline } = this,
			{ view } = timeline,
			place = this.place(event),
			unit = event.deltaMode ? 16 : 1,
			dx = (event.shiftKey ? event.deltaX || event.deltaY : event.deltaX) * unit,
			dy = event.deltaY * unit;

		if (event.ctrlKey || event.metaKey) {
			const power = Math.max(-ZOOM_MOST, Math.min(ZOOM_MOST, dy * ZOOM_PER_PX));

			timeline.setWindow(...view.zoomed(this.wheelX(event), Math.exp(power)));
		} else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
			const shift = (dx / view.width) * view.span;

			timeline.setWindow(view.from + shift, view.until + shift);
		} else return;
		event.preventDefault();
		if (event.currentTarget === this.root) timeline.point(place);
	}

	/* Where in the lanes the wheel is: in the overview, at the time that it shows there. */
	/** @param {WheelEvent} event */
	wheelX(event) {
		const { view } = this.timeline,
			{ x } = this.place(event);

		if (event.currentTarget !== byId("overview")) return x;
		return Math.min(view.width, Math.max(0, view.x((x / view.width) * view.end)));
	}
}
