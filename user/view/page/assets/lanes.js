// SPDX-License-Identifier: MIT
/*
 * Lanes: what is drawn over time, as series without gaps. Each keeps the time of every kind up to
 * every block of entries, so that the sums of any window are exact to the nanosecond and cost a
 * search and a few steps, however many entries it has. Drawing a pixel column of a minute costs as
 * much as one of a millisecond.
 */
"use strict";

class Lane {
	/* `starts` has one entry more than `kinds`: the end. Kinds are below `kindCount`. */
	/** @param {Float64Array} starts @param {Uint8Array} kinds @param {number} kindCount */
	constructor(starts, kinds, kindCount) {
		this.starts = starts;
		this.kinds = kinds;
		this.kindCount = kindCount;
		this.count = kinds.length;
		this.begin = starts[0];
		this.end = starts[this.count];
		/* blocks have at least twice as many entries as there are kinds: the sums take no more
		 * memory than the entries */
		this.shift = Math.max(5, Math.ceil(Math.log2(2 * kindCount)));
		this.blockSums = this.addUp();
	}

	addUp() {
		const { starts, kinds, kindCount, count } = this,
			blocks = (count >> this.shift) + 1,
			step = 1 << this.shift;
		const sums = new Float64Array((blocks + 1) * kindCount),
			running = new Float64Array(kindCount);

		for (let block = 0; block <= blocks; block++) {
			const first = block * step,
				last = Math.min(count, first + step);

			sums.set(running, block * kindCount);
			for (let i = first; i < last; i++) running[kinds[i]] += starts[i + 1] - starts[i];
		}
		return sums;
	}

	/* The entry at an instant, clipped to the lane: the last one that begins at or before it.
	 * `hint`: an entry at or before the result. */
	/** @param {number} time */
	indexAt(time, hint = 0) {
		const starts = this.starts;
		let low = hint,
			step = 1,
			high;

		while (low + step < this.count && starts[low + step] <= time) {
			low += step;
			step *= 2;
		}
		high = Math.min(this.count, low + step);
		while (high - low > 1) {
			/** @type {number} */
			const middle = (low + high) >>> 1;

			if (starts[middle] <= time) low = middle;
			else high = middle;
		}
		return low;
	}

	/** @param {number} time */
	contains(time) {
		return this.count > 0 && time >= this.begin && time < this.end;
	}

	/* Adds to `to` the time of every kind in [from, until), which begins in entry `first` and ends
	 * in `last`. */
	/**
	 * @param {number} from
	 * @param {number} until
	 * @param {number} first
	 * @param {number} last
	 * @param {Float64Array} to
	 */
	addBetween(from, until, first, last, to) {
		const { starts, kinds, kindCount, shift, blockSums } = this;
		let i = first;

		if (last - first > 3 << shift) {
			const low = (first >> shift) + 1,
				high = last >> shift,
				edge = low << shift;

			for (; i < edge; i++)
				to[kinds[i]] += starts[i + 1] - (starts[i] < from ? from : starts[i]);
			for (let kind = 0; kind < kindCount; kind++)
				to[kind] += blockSums[high * kindCount + kind] - blockSums[low * kindCount + kind];
			i = high << shift;
		}
		for (; i <= last; i++) {
			const start = starts[i] < from ? from : starts[i],
				end = starts[i + 1] > until ? until : starts[i + 1];

			if (end > start) to[kinds[i]] += end - start;
		}
	}

	/* The time of every kind in a window. */
	/** @param {number} from @param {number} until */
	sums(from, until) {
		const to = new Float64Array(this.kindCount),
			a = Math.max(from, this.begin),
			b = Math.min(until, this.end);

		if (this.count && b > a) {
			const first = this.indexAt(a);

			this.addBetween(a, b, first, this.indexAt(b, first), to);
		}
		return to;
	}

	/* The longest entry that overlaps a window and is of one of the kinds in the bit mask; -1 for
	 * none. Samples at most `most` entries. */
	/** @param {number} from @param {number} until @param {number} mask */
	longest(from, until, mask, most = 4096) {
		let best = -1,
			length = 0;

		if (!this.count || until <= this.begin || from >= this.end) return -1;
		const first = this.indexAt(Math.max(from, this.begin)),
			last = this.indexAt(Math.min(until, this.end), first),
			stride = Math.max(1, Math.ceil((last - first) / most));

		for (let i = first; i <= last; i += stride)
			if ((mask >> this.kinds[i]) & 1 && this.starts[i + 1] - this.starts[i] > length) {
				best = i;
				length = this.starts[i + 1] - this.starts[i];
			}
		return best;
	}
}

class StateLane extends Lane {
	/** @param {StateColumns} shape */
	constructor({ starts, kinds, flags, calls }) {
		super(starts, kinds, STATE_NAMES.length);
		this.flags = flags;
		this.calls = calls;
		this.callsBefore = new Uint32Array((this.count >> 8) + 1);
		for (let i = 0, fill = 0; i < this.count; i++) {
			if (!(i & 255)) this.callsBefore[i >> 8] = fill;
			fill += STATE_SLEEPS[kinds[i]];
		}
	}

	/*
	 * The system call that a thread slept in: its number or SYSNO_…; null where it did not sleep.
	 */
	/** @param {number} index */
	call(index) {
		let fill = this.callsBefore[index >> 8];

		if (!STATE_SLEEPS[this.kinds[index]]) return null;
		for (let i = index & ~255; i < index; i++) fill += STATE_SLEEPS[this.kinds[i]];
		return this.calls[fill] + SYSNO_FIRST;
	}
}

/* Who held a GIL: kind 0 is nobody, or no certain holder; the others are the threads in `slots`.
 * With too many threads the last slot stands for all others. */
const HOLDER_SLOTS = 24;

class HoldLane extends Lane {
	/** @param {BoxColumns} shape @param {number} threadCount */
	constructor({ starts, owner, flags, count }, threadCount) {
		const held = new Float64Array(threadCount + 1),
			kinds = new Uint8Array(owner.length);

		for (let i = 0; i < owner.length; i++) held[owner[i]] += starts[i + 1] - starts[i];
		const slots = [...held.keys()]
			.filter((thread) => thread && held[thread])
			.sort((a, b) => held[b] - held[a]);
		const slotOf = new Uint8Array(threadCount + 1),
			others = slots.length > HOLDER_SLOTS;

		slots.forEach((thread, place) => (slotOf[thread] = Math.min(place, HOLDER_SLOTS - 1) + 1));
		for (let i = 0; i < owner.length; i++) kinds[i] = slotOf[owner[i]];
		super(starts, kinds, Math.min(slots.length, HOLDER_SLOTS) + 1);
		this.owner = owner;
		this.flags = flags;
		this.holds = count;
		this.slots = slots
			.slice(0, HOLDER_SLOTS)
			.map((thread, place) => (others && place === HOLDER_SLOTS - 1 ? -1 : thread - 1));
		this.held = held.subarray(1);
	}

	/* The thread of an entry, -1 for none. */
	/** @param {number} index */
	holder(index) {
		return this.owner[index] - 1;
	}
}

const TURN_NONE = 0,
	TURN_SHORT = 1,
	TURN_STALL = 2;

class TurnLane extends Lane {
	/** @param {BoxColumns} shape @param {number} stallNs */
	constructor({ starts, owner, flags, count }, stallNs) {
		const kinds = new Uint8Array(owner.length);

		for (let i = 0; i < owner.length; i++)
			kinds[i] = !owner[i]
				? TURN_NONE
				: starts[i + 1] - starts[i] >= stallNs
					? TURN_STALL
					: TURN_SHORT;
		super(starts, kinds, 3);
		this.flags = flags;
		this.turns = count;
	}

	/* The length of the longest turn that overlaps each of `columns` equal parts of a window. */
	/** @param {number} from @param {number} until @param {number} columns */
	longestBy(from, until, columns) {
		const lengths = new Float64Array(columns),
			scale = columns / (until - from),
			{ starts, kinds } = this;

		for (let i = this.indexAt(from); i < this.count && starts[i] < until; i++) {
			if (!kinds[i]) continue;
			const length = starts[i + 1] - starts[i],
				last = Math.min(columns - 1, Math.floor((starts[i + 1] - from) * scale));

			for (
				let column = Math.max(0, Math.floor((starts[i] - from) * scale));
				column <= last;
				column++
			)
				if (length > lengths[column]) lengths[column] = length;
		}
		return lengths;
	}
}

/* How many threads of a pool are busy; the kind is whether all of them are. */
class PoolLane extends Lane {
	/** @param {PoolColumns} shape */
	constructor({ starts, flags, busy, idle, unknown }) {
		super(
			starts,
			flags.map((bits) => bits & PAGE_POOL_FULL),
			2,
		);
		this.busy = busy;
		this.unknown = unknown;
		this.threads = busy.map((count, i) => count + idle[i] + unknown[i]);
		this.busyBefore = this.timesBefore(busy);
		this.unknownBefore = this.timesBefore(unknown);
	}

	/* The threads' time before every entry, over all of them. */
	/** @param {Uint32Array} counts */
	timesBefore(counts) {
		const times = new Float64Array(this.count + 1);

		for (let i = 0; i < this.count; i++)
			times[i + 1] = times[i] + counts[i] * (this.starts[i + 1] - this.starts[i]);
		return times;
	}

	/* The threads' time in a window, over all of them; `full`: how long all were busy. `hint` as in
	 * indexAt(). */
	/** @param {number} from @param {number} until */
	times(from, until, hint = 0) {
		const { starts, busy, unknown, busyBefore, unknownBefore } = this,
			a = Math.max(from, this.begin),
			b = Math.min(until, this.end),
			full = new Float64Array(2);

		if (!this.count || b <= a) return { busy: 0, unknown: 0, full: 0 };
		const first = this.indexAt(a, hint),
			last = this.indexAt(b, first);
		/** @param {Float64Array} before @param {Uint32Array} counts */
		const between = (before, counts) =>
			before[last] +
			counts[last] * (b - starts[last]) -
			(before[first] + counts[first] * (a - starts[first]));

		this.addBetween(a, b, first, last, full);
		return {
			busy: between(busyBefore, busy),
			unknown: between(unknownBefore, unknown),
			full: full[1],
		};
	}
}

const WAITING_LANES_MOST = 16,
	WAITERS_MOST = 255;

/* How many of the lanes' threads wait for the GIL; the kind is that number. */
/** @param {Lane[]} lanes @param {number} end */
function waitersLane(lanes, end) {
	const begins = [],
		ends = [];

	for (const { starts, kinds, count } of lanes)
		for (let i = 0; i < count; i++)
			if (kinds[i] === STATE_GIL_WAIT) {
				begins.push(starts[i]);
				ends.push(starts[i + 1]);
			}
	const up = Float64Array.from(begins).sort(),
		down = Float64Array.from(ends).sort(),
		starts = [0],
		kinds = [];
	let waiting = 0;

	for (let i = 0, j = 0; j < down.length;) {
		const time = i < up.length && up[i] <= down[j] ? up[i] : down[j],
			before = waiting;

		for (; i < up.length && up[i] === time; i++) waiting++;
		for (; j < down.length && down[j] === time; j++) waiting--;
		if (time > starts[starts.length - 1] && waiting !== before) {
			kinds.push(Math.min(WAITERS_MOST, before));
			starts.push(time);
		}
	}
	if (end > starts[starts.length - 1]) {
		kinds.push(Math.min(WAITERS_MOST, waiting));
		starts.push(end);
	}
	return new Lane(Float64Array.from(starts), Uint8Array.from(kinds), WAITERS_MOST + 1);
}

/* A thread's stacks. For drawing, a pyramid has the longest of every 16, 256, … entries. */
class StackLane {
	/** @param {StackColumns} shape */
	constructor({ starts, stacks, tasks }) {
		this.starts = starts;
		this.stacks = stacks;
		this.tasks = tasks;
		this.count = stacks.length;
		this.begin = starts[0];
		this.end = starts[this.count];
		this.levels = [];
		for (let below = null, size = this.count; size > 16; size = below.length) {
			below = this.level(below, Math.ceil(size / 16));
			this.levels.push(below);
		}
	}

	/** @param {number} index */
	lengthOf(index) {
		return this.starts[index + 1] - this.starts[index];
	}

	/** @param {Uint32Array | null} below @param {number} size */
	level(below, size) {
		const level = new Uint32Array(size),
			last = below ? below.length : this.count;

		for (let i = 0; i < size; i++) {
			let best = below ? below[i * 16] : i * 16;

			for (let j = i * 16 + 1; j < Math.min(last, i * 16 + 16); j++) {
				const entry = below ? below[j] : j;

				if (this.lengthOf(entry) > this.lengthOf(best)) best = entry;
			}
			level[i] = best;
		}
		return level;
	}

	/* The longest of the entries first … last. */
	/** @param {number} first @param {number} last */
	longestOf(first, last) {
		let best = first;
		/** @param {number} entry */
		const offer = (entry) => {
			if (this.lengthOf(entry) > this.lengthOf(best)) best = entry;
		};

		for (let height = 0; first <= last; height++, first >>>= 4, last >>>= 4) {
			const level = height ? this.levels[height - 1] : null,
				top = height === this.levels.length;

			while (first <= last && (top || first & 15)) offer(level ? level[first++] : first++);
			while (first <= last && (last & 15) !== 15) offer(level ? level[last--] : last--);
			if (first > last) break;
		}
		return best;
	}
}
StackLane.prototype.indexAt = Lane.prototype.indexAt;
StackLane.prototype.contains = Lane.prototype.contains;
