// SPDX-License-Identifier: MIT
/*
 * Keys, buttons, the overview and the divider; gestures.js has the lanes. Both only distinguish
 * what is done; the timeline acts on it.
 */
"use strict";

const KEY_ZOOM = 0.7,
	KEY_PAN = 0.15;

/* What an event happened to. */
/** @param {Event} event */
function elementOf(event) {
	return /** @type {Element} */ (event.target);
}

class Input {
	/** @param {Timeline} timeline */
	constructor(timeline) {
		this.timeline = timeline;
		this.help = byId("help", HTMLDialogElement);
		this.listenOverview(byId("overview"));
		this.listenDivider(byId("divider"));
		document.addEventListener("keydown", (event) => this.key(event));
		/** @type {[string, () => void][]} */
		const buttons = [
			["fit", () => timeline.fit()],
			["zoom-in", () => timeline.zoomBy(KEY_ZOOM)],
			["zoom-out", () => timeline.zoomBy(1 / KEY_ZOOM)],
			["stall-before", () => timeline.stepStall(-1)],
			["stall-after", () => timeline.stepStall(1)],
			["help-button", () => this.help.showModal()],
		];

		for (const [id, action] of buttons) byId(id).addEventListener("click", action);
	}

	/* In the overview a drag chooses a window; its edges and its middle can be dragged as well. */
	/** @param {HTMLElement} root */
	listenOverview(root) {
		const { timeline } = this,
			timeAt = (/** @type {PointerEvent} */ event) => {
				const { left, width } = root.getBoundingClientRect();

				return Math.min(1, Math.max(0, (event.clientX - left) / width)) * timeline.view.end;
			};

		root.addEventListener("pointerdown", (event) => {
			if (event.button) return;
			const time = timeAt(event),
				{ from, until, whole, end } = timeline.view,
				near = (end / root.clientWidth) * 5;
			const edge =
				!whole && Math.abs(time - from) < near
					? "from"
					: !whole && Math.abs(time - until) < near
						? "until"
						: "";

			root.setPointerCapture(event.pointerId);
			this.choice = {
				anchor: edge === "from" ? until : edge === "until" ? from : time,
				inside: !edge && !whole && time > from && time < until,
				from,
				until,
				x: event.clientX,
				moved: Boolean(edge),
			};
		});
		root.addEventListener("pointermove", (event) => {
			const { choice } = this,
				time = timeAt(event);

			if (!choice) return;
			choice.moved ||= Math.abs(event.clientX - choice.x) > CLICK_PX;
			if (choice.moved && choice.inside)
				timeline.setWindow(
					choice.from + time - choice.anchor,
					choice.until + time - choice.anchor,
				);
			else if (choice.moved)
				timeline.setWindow(Math.min(choice.anchor, time), Math.max(choice.anchor, time));
		});
		root.addEventListener("pointerup", (event) => {
			const { choice } = this,
				{ span, whole } = timeline.view,
				time = timeAt(event);

			this.choice = null;
			if (choice && !choice.moved && !whole)
				timeline.moveTo(time - span / 2, time + span / 2);
			else if (choice && !choice.moved) timeline.clickOverview(time);
		});
		root.addEventListener("keydown", (event) => {
			const step = Number(event.key === "ArrowRight") - Number(event.key === "ArrowLeft");

			if (step) {
				event.preventDefault();
				timeline.panBy(step * KEY_PAN);
			}
		});
	}

	/** @param {HTMLElement} divider */
	listenDivider(divider) {
		/** @param {number} share */
		const set = (share) => {
			document.documentElement.style.setProperty(
				"--lanes-share",
				String(Math.min(0.9, Math.max(0.15, share))),
			);
			divider.setAttribute("aria-valuenow", String(Math.round(share * 100)));
			this.timeline.resize();
		};
		const share = () =>
			Number(getComputedStyle(document.documentElement).getPropertyValue("--lanes-share"));

		divider.addEventListener("pointerdown", (event) =>
			divider.setPointerCapture(event.pointerId),
		);
		divider.addEventListener("pointermove", (event) => {
			const top = byId("lanes").getBoundingClientRect().top,
				bottom = byId("panels").getBoundingClientRect().bottom;

			if (divider.hasPointerCapture(event.pointerId))
				set((event.clientY - top) / (bottom - top));
		});
		divider.addEventListener("keydown", (event) => {
			const step = Number(event.key === "ArrowDown") - Number(event.key === "ArrowUp");

			if (step) {
				event.preventDefault();
				set(share() + step * 0.05);
			}
		});
	}

	/* Keys go to the timeline unless something else has the focus that needs them. */
	/** @param {KeyboardEvent} event */
	key(event) {
		const { timeline } = this;
		/** @type {Record<string, () => void>} */
		const keys = {
			w: () => timeline.zoomBy(KEY_ZOOM),
			s: () => timeline.zoomBy(1 / KEY_ZOOM),
			a: () => timeline.panBy(-KEY_PAN),
			d: () => timeline.panBy(KEY_PAN),
			f: () => timeline.fit(),
			n: () => timeline.stepStall(1),
			p: () => timeline.stepStall(-1),
			z: () => timeline.zoomToSelection(),
			m: () => timeline.markRange(),
			t: () => timeline.setClock(timeline.clock.next()),
			u: () => timeline.unfolding.setAll(!timeline.recording.folds.all),
			"?": () => this.help.showModal(),
			"/": () => byId("search").focus(),
			Escape: () => timeline.escape(),
		};
		const typing = elementOf(event).closest?.("input, select, textarea"),
			action = Object.hasOwn(keys, event.key) ? keys[event.key] : null;

		if (event.ctrlKey || event.metaKey || event.altKey || typing || this.help.open || !action)
			return;
		event.preventDefault();
		action();
	}
}
