// SPDX-License-Identifier: MIT
/*
 * Reads the page's data (user/view/page/page.h): blobs of compressed columns, into typed arrays.
 * All times are nanoseconds since the origin, as numbers: exact up to 2^53. The data comes from the
 * target: whatever does not fit is reported as an error, and no text in it is ever markup.
 */
"use strict";

class DamagedData extends Error {}

/**
 * An element of the page, of this type.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [type]
 * @returns {T}
 */
function byId(id, type) {
	const found = document.getElementById(id);

	if (!(found instanceof (type ?? HTMLElement)))
		throw new Error(`the page has no element '${id}'`);
	return /** @type {T} */ (found);
}

/* A blob's bytes. Its text is released. */
/** @param {string} id */
async function blobBytes(id) {
	const element = document.getElementById(id);

	if (!element) throw new DamagedData(`The page's data is not complete: '${id}' is missing.`);
	const packed = base64Bytes(element.textContent);

	element.textContent = "";
	const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));

	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} text */
function base64Bytes(text) {
	const { fromBase64 } = /** @type {any} */ (
		Uint8Array
	); /* not in every browser, nor in ES2023 */

	if (fromBase64) return fromBase64.call(Uint8Array, text);
	const binary = atob(text),
		bytes = new Uint8Array(binary.length);

	for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
	return bytes;
}

/** @param {string} id */
async function blobJson(id) {
	return JSON.parse(new TextDecoder().decode(await blobBytes(id)));
}

/* A sequence of columns. */
class ColumnReader {
	/** @param {Uint8Array} bytes */
	constructor(bytes) {
		this.bytes = bytes;
		this.at = 0;
	}

	/* One varint. Bits above 28 are added by multiplication: shifts work on 32 bits. */
	number() {
		const bytes = this.bytes;
		let value = 0,
			factor = 1,
			byte;

		do {
			if (this.at >= bytes.length || factor > 2 ** 56)
				throw new DamagedData("The page's data ends in the middle of a number.");
			byte = bytes[this.at++];
			value += (byte & 0x7f) * factor;
			factor *= 128;
		} while (byte & 0x80);
		return value;
	}

	/* The number of entries; each takes at least one byte. */
	count() {
		const count = this.number();

		if (count > this.bytes.length)
			throw new DamagedData("The page's data is shorter than it says.");
		return count;
	}

	/* The next `count` varints into `to`, from `first` on. */
	/** @template {NumberArray} T @param {number} count @param {T} to */
	numbers(count, to, first = 0) {
		const bytes = this.bytes,
			end = bytes.length;
		let at = this.at;

		for (let i = first; i < first + count; i++) {
			let byte = bytes[at++],
				value = byte & 0x7f;

			if (byte > 0x7f) {
				byte = bytes[at++];
				value |= (byte & 0x7f) << 7;
				if (byte > 0x7f) {
					byte = bytes[at++];
					value |= (byte & 0x7f) << 14;
					for (let factor = 2 ** 21; byte > 0x7f && factor < 2 ** 63; factor *= 128) {
						byte = bytes[at++];
						value += (byte & 0x7f) * factor;
					}
				}
			}
			to[i] = value;
		}
		if (at > end) throw new DamagedData("The page's data is shorter than it says.");
		this.at = at;
		return to;
	}

	/* The next `count` bytes, as a view. */
	/** @param {number} count */
	take(count) {
		if (this.at + count > this.bytes.length)
			throw new DamagedData("The page's data is shorter than it says.");
		this.at += count;
		return this.bytes.subarray(this.at - count, this.at);
	}
}

/* The meaning of stack numbers: a tree of frames, and stacks as its nodes. */
class Stacks {
	/** @param {Uint8Array} bytes @param {PageHead["functions"]} functions */
	constructor(bytes, functions) {
		const reader = new ColumnReader(bytes),
			nodes = reader.count();

		this.functions = functions;
		this.parent = reader.numbers(nodes, new Uint32Array(nodes + 1), 1);
		this.function = reader.numbers(nodes, new Uint32Array(nodes + 1), 1);
		this.line = reader.numbers(nodes, new Uint32Array(nodes + 1), 1);
		this.depth = new Uint16Array(nodes + 1);
		for (let i = 1; i <= nodes; i++) {
			if (this.parent[i] >= i || this.function[i] >= functions.length)
				throw new DamagedData("The page's stacks make no tree.");
			this.depth[i] = this.depth[this.parent[i]] + 1;
		}
		const count = reader.count();

		this.count = count + 1;
		this.node = reader.numbers(count, new Uint32Array(count + 1), 1);
		this.cut = new Uint8Array(count + 1);
		this.cut.set(reader.take(count), 1);
		this.handler = reader.numbers(count, new Uint32Array(count + 1), 1);
		this.role = reader.numbers(count, new Uint8Array(count + 1), 1);
		for (let i = 1; i <= count; i++)
			if (this.node[i] > nodes || this.handler[i] >= functions.length)
				throw new DamagedData("The page's stacks are not complete.");
		/* what was called as a handler is the application's, wherever its file is */
		this.owners = Uint8Array.from(functions, ([, , , owner]) => owner);
		for (const handler of this.handler) this.owners[handler] = PAGE_OWNER_APPLICATION;
		this.owners[0] = OWNER_UNKNOWN;
	}

	/* Is a node's function an installed package's, or the standard library's? */
	/** @param {number} node */
	isOthers(node) {
		const owner = this.owners[this.function[node]];

		return owner === PAGE_OWNER_LIBRARY || owner === PAGE_OWNER_STDLIB;
	}

	/* Name, file and line of a node's frame. */
	/** @param {number} node */
	frame(node) {
		const [name, file] = this.functions[this.function[node]];

		return { name: name || "?", file, line: this.line[node], function: this.function[node] };
	}

	/* The nodes of a stack, outermost first. */
	/** @param {number} stack */
	path(stack) {
		const nodes = [];

		for (let node = this.node[stack]; node; node = this.parent[node]) nodes.push(node);
		return nodes.reverse();
	}
}

/** @param {Uint8Array} bytes @param {number[]} calls */
function readStates(bytes, calls) {
	const reader = new ColumnReader(bytes),
		count = reader.count(),
		starts = new Float64Array(count + 1);
	let sleeps = 0;

	starts[0] = count ? reader.number() : 0;
	const flags = reader.take(count),
		kinds = new Uint8Array(count);

	reader.numbers(count, starts, 1);
	addUp(starts);
	for (let i = 0; i < count; i++) {
		const kind = flags[i] & PAGE_STATE_MASK;

		kinds[i] = Math.min(kind, STATE_NAMES.length - 1);
		sleeps += calls[kind];
	}
	return { starts, kinds, flags, calls: reader.numbers(sleeps, new Uint32Array(sleeps)) };
}

/* Turns lengths behind a start into points in time. */
/** @param {Float64Array} starts */
function addUp(starts) {
	for (let i = 1, at = starts[0]; i < starts.length; i++) starts[i] = at += starts[i];
}

/** @param {Uint8Array} bytes @param {number} stacks */
function readStackSpans(bytes, stacks) {
	const reader = new ColumnReader(bytes),
		count = reader.count(),
		starts = new Float64Array(count + 1);

	starts[0] = count ? reader.number() : 0;
	reader.numbers(count, starts, 1);
	addUp(starts);
	const numbers = reader.numbers(count, new Uint32Array(count));

	checkBelow(numbers, stacks);
	return { starts, stacks: numbers, tasks: reader.numbers(count, new Uint32Array(count)) };
}

/* Samples of the clock, as entries from the previous sample to each. */
/** @param {Uint8Array} bytes @param {number} stacks */
function readClock(bytes, stacks) {
	const reader = new ColumnReader(bytes),
		count = reader.count(),
		starts = reader.numbers(count, new Float64Array(count + 1), 1);

	addUp(starts);
	const numbers = reader.numbers(count, new Uint32Array(count));

	checkBelow(numbers, stacks);
	return { starts, stacks: numbers, tasks: new Uint32Array(0) };
}

/** @param {Uint32Array} numbers @param {number} limit */
function checkBelow(numbers, limit) {
	for (let i = 0; i < numbers.length; i++)
		if (numbers[i] >= limit)
			throw new DamagedData("The page's data points to what is not there.");
}

/* How many of a pool's threads are busy. */
/** @param {Uint8Array} bytes @returns {PoolColumns} */
function readBusy(bytes) {
	const reader = new ColumnReader(bytes),
		count = reader.count(),
		starts = new Float64Array(count + 1);

	starts[0] = count ? reader.number() : 0;
	const flags = reader.take(count);

	reader.numbers(count, starts, 1);
	addUp(starts);
	return {
		starts,
		flags,
		busy: reader.numbers(count, new Uint32Array(count)),
		idle: reader.numbers(count, new Uint32Array(count)),
		unknown: reader.numbers(count, new Uint32Array(count)),
	};
}

/* Holds and turns. The gaps between them are in no column, so entries are made for them: `owner` is
 * 0 there, otherwise the thread's number + 1 (turns: 1). */
/** @param {Uint8Array} bytes @param {number} end @param {number} threads */
function readBoxes(bytes, end, threads) {
	const reader = new ColumnReader(bytes),
		count = reader.count();
	const gaps = reader.numbers(count, new Float64Array(count)),
		lengths = reader.numbers(count, new Float64Array(count));
	const owners = threads ? reader.numbers(count, new Uint32Array(count)) : null,
		marks = reader.take(count);
	const starts = new Float64Array(2 * count + 2),
		owner = new Uint16Array(2 * count + 1),
		flags = new Uint8Array(2 * count + 1);
	let at = 0,
		fill = 0;

	if (owners) checkBelow(owners, threads);
	for (let i = 0; i < count; i++) {
		if (gaps[i]) {
			starts[fill++] = at;
			at += gaps[i];
		}
		starts[fill] = at;
		owner[fill] = owners ? owners[i] + 1 : 1;
		flags[fill++] = marks[i];
		at += lengths[i];
	}
	if (at < end) starts[fill++] = at;
	starts[fill] = Math.max(at, end);
	return {
		starts: starts.subarray(0, fill + 1),
		owner: owner.subarray(0, fill),
		flags: flags.subarray(0, fill),
		count,
	};
}
