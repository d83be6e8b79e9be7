// SPDX-License-Identifier: MIT
/*
 * Folds: frames of installed packages and of the standard library, at least two of them in a row,
 * are one box, "uvicorn · starlette · fastapi (21)". Two kinds of frames stay outside: the
 * innermost one of a stack, which is what ran or slept, and the one that the application called,
 * which says what it asked for. Which folds are open is the same in the lanes and in the flame
 * graph.
 */
"use strict";

/**
 * What is shown of a stack, outermost first: nodes, and lists of those that are folded.
 *
 * @param {Stacks} stacks
 * @param {number} stack
 */
function foldedPath(stacks, stack) {
	const path = stacks.path(stack),
		shown = /** @type {(number | number[])[]} */ ([]);
	let run = /** @type {number[]} */ ([]);
	const end = () => {
		if (run.length > 1) shown.push(run);
		else shown.push(...run);
		run = [];
	};

	path.forEach((node, at) => {
		const stays = at === path.length - 1 || !isFoldable(stacks, path, at);

		if (stays) end();
		if (stays) shown.push(node);
		else run.push(node);
	});
	end();
	return shown;
}

/* Of others, and not called by the application. */
/** @param {Stacks} stacks @param {number[]} path @param {number} at */
function isFoldable(stacks, path, at) {
	return stacks.isOthers(path[at]) && (!at || stacks.isOthers(path[at - 1]));
}

/* The names of a fold: its packages from the outermost one on; without a package, the modules of
 * the standard library. */
/** @param {Stacks} stacks @param {number[]} nodes */
function foldNames(stacks, nodes) {
	const functions = nodes.map((node) => stacks.functions[stacks.function[node]]),
		packages = functions.filter(([, , , owner]) => owner === PAGE_OWNER_LIBRARY),
		named = packages.length ? packages : functions;

	return [...new Set(named.map(([, , , , library]) => library || "?"))].join(" · ");
}

/* "uvicorn 9, starlette 12": the frames of a fold by package, from the outermost one on. */
/** @param {Stacks} stacks @param {Iterable<number>} functions */
function foldCounts(stacks, functions) {
	const counts = /** @type {Map<string, number>} */ (new Map());

	for (const number of functions) {
		const library = stacks.functions[number][4] || "?";

		counts.set(library, (counts.get(library) ?? 0) + 1);
	}
	return [...counts].map(([library, count]) => `${library} ${count}`).join(", ");
}

/* "starlette · packages": the package of a function, and whose it is. What was made at run time has
 * no place, and a program's own file may be anybody's. */
/** @param {Stacks} stacks @param {number} number */
function ownerText({ functions, owners }, number) {
	const { label } = OWNER_LOOKS[owners[number]],
		[name, file] = functions[number],
		library = owners[number] === PAGE_OWNER_APPLICATION ? "" : functions[number][4];

	if (library && /^<(?!frozen )/.test(file)) return "generated code";
	if (library && name === "<module>" && !baseName(file).includes("."))
		return "starts the program";
	return library ? `${library} · ${label}` : label;
}

/* A square in the colour of the frames of an owner. */
/** @param {number} owner */
function ownerSwatch(owner) {
	const swatch = element("span", { class: "swatch owner", "aria-hidden": "true" });

	for (const dark of [false, true])
		swatch.style.setProperty(dark ? "--dark" : "--light", ownerColour(owner, "", dark));
	swatch.style.setProperty("--forced", `var(${OWNER_FORCED[owner][0]})`);
	return swatch;
}

class Folds {
	/** @param {Stacks} stacks */
	constructor(stacks) {
		this.stacks = stacks;
		this.all = false; /* nothing is folded */
		this.opened = /** @type {Set<string>} */ (new Set());
		this.version = 0;
		/* the lanes' folds, by number; neighbours with the same name and place are one box */
		this.list = /** @type {Fold[]} */ ([{ names: "", text: "" }]);
		this.numbers = /** @type {Map<string, number>} */ (new Map());
		this.paths = /** @type {Map<number, (number | FoldedRun)[]>} */ (new Map());
		this.depths = this.foldedDepths();
	}

	/* The rows of the path down to every node when all folds are closed and it is not the innermost
	 * frame. */
	foldedDepths() {
		const { parent } = this.stacks,
			depths = new Uint16Array(parent.length),
			runs = new Uint16Array(parent.length);

		for (let node = 1; node < parent.length; node++) {
			const above = parent[node],
				foldable = this.stacks.isOthers(node) && (!above || this.stacks.isOthers(above));

			runs[node] = foldable ? runs[above] + 1 : 0;
			depths[node] = depths[above] + (runs[node] > 1 ? 0 : 1);
		}
		return depths;
	}

	/* The rows of a stack when all folds are closed. */
	/** @param {number} stack */
	depthOf(stack) {
		const { node, parent } = this.stacks;

		return node[stack] ? this.depths[parent[node[stack]]] + 1 : 0;
	}

	/* The number of a fold in the lanes; `above`: the row before it. */
	/** @param {number} above @param {FoldedRun} run */
	numberOf(above, { names, nodes }) {
		const text = `${names} (${nodes.length})`,
			key = `${above} ${text}`;
		let number = this.numbers.get(key);

		if (!number) {
			this.numbers.set(key, (number = this.list.length));
			this.list.push({ names, text });
		}
		return number;
	}

	/* foldedPath() with the names of the folds. */
	/** @param {number} stack */
	path(stack) {
		const { stacks } = this;
		let path = this.paths.get(stack);

		if (!path) {
			path = foldedPath(stacks, stack).map((part) =>
				typeof part === "number" ? part : { names: foldNames(stacks, part), nodes: part },
			);
			this.paths.set(stack, path);
		}
		return path;
	}

	/** @param {string} names */
	isOpen(names) {
		return this.all || this.opened.has(names);
	}

	/** @param {string} names */
	toggle(names, open = !this.opened.has(names)) {
		if (open) this.opened.add(names);
		else this.opened.delete(names);
		this.version++;
	}

	/* Shows every frame, or folds again what can be folded. */
	/** @param {boolean} all */
	setAll(all) {
		this.all = all;
		this.opened.clear();
		this.version++;
	}
}
