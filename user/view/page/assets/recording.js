// SPDX-License-Identifier: MIT
/* The recording: the report, its threads, GILs, loops and pools, and the lanes. Lanes are read one
 * by one, visible ones first. */
"use strict";

const NO_ENTRIES = Uint8Array.of(0); /* a lane's blob */

class Recording {
	/**
	 * @param {Report} report
	 * @param {PageHead} head
	 * @param {Stacks} stacks
	 */
	constructor(report, head, stacks) {
		this.report = report;
		this.head = head;
		/* also those takes and drops of the GIL that nobody waits for */
		this.holdsTraced = report.mode !== "edges" && report.mode !== "futex";
		this.stacks = stacks;
		this.folds = new Folds(stacks);
		this.end = head.end_ns;
		this.lanesComplete = false;
		/* blobs of lanes requested and not yet used */
		this.coming = /** @type {Map<number, Promise<Uint8Array>>} */ (new Map());
		this.processes = report.processes;
		this.severalProcesses = report.processes.length > 1;
		this.sleeps = head.states.map((_, state) => STATE_SLEEPS[state] || 0);
		this.threads = this.makeThreads();
		this.gils = this.makeGils();
		this.loops = this.makeLoops();
		this.pools = this.makePools();
		/** @type {Stall[]} */
		this.stalls = this.loops.flatMap((loop) =>
			loop.figures.stalls.map((stall, number) => ({
				...stall,
				loop: loop.number,
				number,
				thread: loop.thread,
				id: 0,
				blame: -1,
			})),
		);
		this.stalls.forEach((stall, id) => Object.assign(stall, { id, blame: head.culprits[id] }));
		this.blame = this.makeBlame();
		this.hasTurns = this.loops.some((loop) => loop.figures.longest_ns);
		this.checkNames();
	}

	static async read() {
		/** @type {[Report, PageHead]} */
		const [report, head] = await Promise.all([blobJson("report"), blobJson("head")]);

		if (
			head.format !== PAGE_FORMAT_NAME ||
			STATE_NAMES.some((name, number) => head.states[number] !== name)
		)
			throw new DamagedData("This page's data is of a format that it does not know.");
		head.functions = head.functions.map(([name, file, line, owner, library]) => [
			plainText(name),
			plainText(file),
			line,
			owner,
			plainText(library),
		]);
		return new Recording(report, head, new Stacks(await blobBytes("stacks"), head.functions));
	}

	/** @returns {Thread[]} */
	makeThreads() {
		const noStates = new StateLane(readStates(NO_ENTRIES, this.sleeps)),
			noStacks = new StackLane(readStackSpans(NO_ENTRIES, 0)),
			noRows = new FlameRows(this.folds, noStacks);

		return this.joined(this.head.threads, "threads", (thread, figures) => ({
			...thread,
			figures,
			short: this.shortName(thread, this.head.threads),
			isRead: false,
			stateLane: noStates,
			stackLane: noStacks,
			clockLane: noStacks,
			rows: noRows,
		}));
	}

	/** @returns {Gil[]} */
	makeGils() {
		const holdLane = new HoldLane(readBoxes(NO_ENTRIES, 0, 0), 0);

		return this.joined(this.head.gils, "gils", (gil, figures) => ({
			...gil,
			figures,
			isRead: false,
			holdLane,
		}));
	}

	/** @returns {Loop[]} */
	makeLoops() {
		const { threads, loops } = this.head,
			turnLane = new TurnLane(readBoxes(NO_ENTRIES, 0, 0), this.report.stall_ns);

		return this.joined(loops, "loops", (loop, figures) => ({
			...loop,
			figures,
			process: threads[loop.thread].process,
			isRead: false,
			turnLane,
		}));
	}

	/* What each function cost the loops; without a loop, what it did. */
	/** @returns {Blame[]} */
	makeBlame() {
		return this.report.blame.map((blame, id) => {
			const shares = stateEntries(
				this.loops.length ? blame.loop_states : blame.elsewhere_states,
			);

			return {
				...blame,
				id,
				number: this.head.blame[id],
				shares,
				ns: shares.reduce((sum, [, ns]) => sum + ns, blame.made_loops_wait_ns),
			};
		});
	}

	/** @returns {Pool[]} */
	makePools() {
		const busyLane = new PoolLane(readBusy(NO_ENTRIES));

		return this.joined(this.head.pools, "pools", (pool, figures) => ({
			...pool,
			figures,
			isRead: false,
			busyLane,
		}));
	}

	/**
	 * The head's lists match those of the report, in its order.
	 * @template T, R
	 * @template {"threads" | "gils" | "loops" | "pools"} K
	 * @param {T[]} list
	 * @param {K} kind
	 * @param {(entry: T, figures: NonNullable<ReportProcess[K]>[number]) => R} make
	 */
	joined(list, kind, make) {
		const figures = this.report.processes.flatMap(
			(process) =>
				/** @type {NonNullable<ReportProcess[K]>[number][]} */ (process[kind] ?? []),
		);

		if (figures.length !== list.length)
			throw new DamagedData(`The page's data and its report do not have the same ${kind}.`);
		return list.map((entry, number) => ({ number, ...make(entry, figures[number]) }));
	}

	checkNames() {
		for (const thread of this.threads)
			if (!this.processes[thread.process])
				throw new DamagedData("A thread of the page's data has no process.");
		for (const loop of this.loops) this.threads[loop.thread].loopNumber = loop.number;
	}

	/* The name in boxes. The tid is added only where the name alone is ambiguous. */
	/** @param {PageThread} thread @param {PageThread[]} threads */
	shortName(thread, threads) {
		/** @param {PageThread} other */
		const nameOf = (other) => plainText(other.python_name || other.comm || "thread"),
			name = nameOf(thread);

		return threads.some((other) => other !== thread && nameOf(other) === name)
			? `${name} ${thread.tid}`
			: name;
	}

	/* Its tid; how many it stands for, if it does. */
	/** @param {Thread} thread */
	whichText(thread) {
		const { stands_for } = thread.figures;

		return stands_for ? `${countText(stands_for)} threads` : String(thread.tid);
	}

	/** @param {number} number */
	threadText(number) {
		return this.threads[number] ? this.threads[number].name : "unknown holder";
	}

	/* Which loop a stall is of, where there are several. */
	/** @param {Stall} stall */
	loopText(stall) {
		return this.loops.length > 1 ? `, loop of ${this.threads[stall.thread].short}` : "";
	}

	/** @param {number} number */
	callText(number) {
		return CALL_LABELS.get(number) || this.head.syscalls[number] || `system call ${number}`;
	}

	/* What is known of a frame's source: the decorator of its function, and its line. */
	/** @param {number} node @returns {string[]} */
	sources(node) {
		const { function: number, line } = this.stacks.frame(node);

		return [this.head.sources[`${number}:0`], line && this.head.sources[`${number}:${line}`]]
			.filter((text) => text)
			.map(String);
	}

	/* The thread that held the GIL longest while a stall waited for it; -1: there is none. */
	/** @param {Stall} stall */
	blockerThread(stall) {
		const [blocker] = stall.blockers,
			{ process } = this.threads[stall.thread];

		return blocker
			? this.threads.findIndex(
					(thread) => thread.process === process && thread.tid === blocker.tid,
				)
			: -1;
	}

	/* How many stalls the loops of a process had, and for how long together. */
	/** @param {number} number */
	stalledOf(number) {
		const stalls = this.processes[number].loops.flatMap((loop) => loop.stalls);

		return {
			count: stalls.length,
			ns: stalls.reduce((sum, stall) => sum + stall.end_ns - stall.start_ns, 0),
		};
	}

	/* Numbers of the processes: first those whose loops were held up most, then other loops. */
	processesInOrder() {
		const ranks = this.processes.map((process, number) => ({
			number,
			ns: this.stalledOf(number).ns,
			loops: process.loops.length,
		}));

		ranks.sort(
			(a, b) =>
				b.ns - a.ns || Number(b.loops > 0) - Number(a.loops > 0) || a.number - b.number,
		);
		return ranks.map(({ number }) => number);
	}

	/* By process; loops first, then by time holding the GIL; what stands for others is last. */
	threadsInOrder() {
		const place = new Map(this.processesInOrder().map((number, at) => [number, at]));

		return [...this.threads].sort(
			(a, b) =>
				(place.get(a.process) ?? 0) - (place.get(b.process) ?? 0) ||
				Number(b.loop) - Number(a.loop) ||
				Number(!!a.figures.stands_for) - Number(!!b.figures.stands_for) ||
				this.heldBy(b) - this.heldBy(a) ||
				a.number - b.number,
		);
	}

	/** @param {Thread} shape */
	heldBy({ figures: { states } }) {
		return STATE_NAMES.reduce(
			(sum, name, state) => sum + (STATE_HOLDS[state] ? states[name] : 0),
			0,
		);
	}

	/** @param {Gil} gil */
	threadsOf(gil) {
		return this.threads.filter((thread) => thread.gil === gil.number);
	}

	// ── lanes ────────────────────────────────────────────────────────────────────────────────────

	/* Starts unpacking the lanes that will be needed first. */
	prefetch() {
		const threads = this.threadsInOrder().slice(0, 4);

		for (const lane of [
			...this.gils.map((gil) => gil.holds),
			...this.loops.map((loop) => loop.turns),
			...this.pools.map((pool) => pool.busy),
			...threads.flatMap(({ states, stacks, clock }) => [states, stacks, clock]),
		])
			this.lane(lane).catch(() => {}); /* reported to the caller that awaits it */
	}

	/** @param {number} number */
	lane(number) {
		const coming = this.coming.get(number) ?? blobBytes(`lane-${number}`);

		this.coming.set(number, coming);
		return coming;
	}

	/** @param {Gil} gil */
	async readHolds(gil) {
		gil.holdLane = new HoldLane(
			readBoxes(await this.lane(gil.holds), this.end, this.threads.length),
			this.threads.length,
		);
		gil.isRead = true;
		this.coming.delete(gil.holds);
	}

	/** @param {Loop} loop */
	async readTurns(loop) {
		loop.turnLane = new TurnLane(
			readBoxes(await this.lane(loop.turns), this.end, 0),
			this.report.stall_ns,
		);
		loop.isRead = true;
		this.coming.delete(loop.turns);
	}

	/** @param {Pool} pool */
	async readBusy(pool) {
		pool.busyLane = new PoolLane(readBusy(await this.lane(pool.busy)));
		pool.isRead = true;
		this.coming.delete(pool.busy);
	}

	/** @param {Thread} thread */
	async readThread(thread) {
		const [states, stacks, clock] = await Promise.all(
			[thread.states, thread.stacks, thread.clock].map((lane) => this.lane(lane)),
		);

		thread.stateLane = new StateLane(readStates(states, this.sleeps));
		thread.stackLane = new StackLane(readStackSpans(stacks, this.stacks.count));
		thread.clockLane = new StackLane(readClock(clock, this.stacks.count));
		thread.rows = new FlameRows(this.folds, thread.stackLane);
		thread.isRead = true;
		for (const lane of [thread.states, thread.stacks, thread.clock]) this.coming.delete(lane);
	}

	/* For a GIL with very many waiters: their number as a lane of its own, as adding up all their
	 * lanes for every picture takes too long. */
	/** @param {Gil} gil */
	countWaiters(gil) {
		const lanes = this.waitingLanes(gil);

		if (lanes.length > WAITING_LANES_MOST) gil.waitersLane = waitersLane(lanes, this.end);
	}

	/** @param {Gil} gil */
	waitingLanes(gil) {
		return this.threadsOf(gil)
			.filter((thread) => thread.isRead && thread.figures.states.gil_wait)
			.map((thread) => thread.stateLane);
	}

	// ── sums ─────────────────────────────────────────────────────────────────────────────────────

	/* Nanoseconds by state of a thread in a window. */
	/** @param {number} thread @param {number} from @param {number} until */
	sums(thread, from, until) {
		return this.threads[thread].stateLane.sums(from, until);
	}

	/* Nanoseconds that threads held a GIL in a window: [thread or -1 for others, ns], most
	 * first. */
	/** @param {number} gil @param {number} from @param {number} until */
	holders(gil, from, until) {
		const lane = this.gils[gil].holdLane,
			sums = lane.sums(from, until);

		return lane.slots
			.map((thread, slot) => [thread, sums[slot + 1]])
			.filter(([, ns]) => ns)
			.sort((a, b) => b[1] - a[1]);
	}

	/* The holds of a GIL in a window: [index, ns of the overlap] in order of time, not more than
	 * `most` of them. */
	/** @param {number} gil @param {number} from @param {number} until */
	holdsDuring(gil, from, until, most = 1000) {
		const lane = this.gils[gil].holdLane,
			found = /** @type {[index: number, ns: number][]} */ ([]);

		for (
			let i = lane.count ? lane.indexAt(from) : Infinity;
			i < lane.count && lane.starts[i] < until && found.length < most;
			i++
		)
			if (lane.owner[i] && lane.starts[i + 1] > from)
				found.push([
					i,
					Math.min(until, lane.starts[i + 1]) - Math.max(from, lane.starts[i]),
				]);
		return found;
	}
}
