// SPDX-License-Identifier: MIT
// Types of what the pages' scripts pass to each other, for tsc alone: no page contains them. Those
// of the data that C writes are made by tools/gen-constants (build/gen/constants.d.ts).

type NumberArray = Float64Array | Uint32Array | Uint16Array | Uint8Array;
type StateShare = [state: string, ns: number];

// ── elements ─────────────────────────────────────────────────────────────────────────────────────

type Child = Node | string | number | null | undefined | Child[];
type Properties = Record<
	string,
	string | number | boolean | null | undefined | ((event: any) => void)
>;
/** A row of facts: name, value, and all digits of the value. */
type Fact = [name: string, value: Child, exact?: string];

// ── the recording ────────────────────────────────────────────────────────────────────────────────

// Lanes are empty until they have been read.
interface Thread extends PageThread {
	number: number;
	figures: ReportThread;
	short: string; // its name in boxes
	loopNumber?: number;
	isRead: boolean;
	stateLane: StateLane;
	stackLane: StackLane;
	clockLane: StackLane;
	rows: FlameRows;
}
interface Gil extends PageGil {
	number: number;
	figures: ReportGil;
	isRead: boolean;
	holdLane: HoldLane;
	waitersLane?: Lane; // with very many waiters
}
interface Loop extends PageLoop {
	number: number;
	figures: ReportLoop;
	process: number;
	isRead: boolean;
	turnLane: TurnLane;
}
interface Pool extends PagePool {
	number: number;
	figures: ReportPool;
	isRead: boolean;
	busyLane: PoolLane;
}
interface Stall extends ReportStall {
	id: number; // place among all
	number: number; // place among those of its loop
	loop: number;
	thread: number;
	blame: number; // the function that it is counted for; -1: none
}
/** What a function cost. */
interface Blame extends ReportBlame {
	id: number; // place in the report
	number: number; // of the function; 0: in no stack
	shares: StateShare[];
	ns: number;
}
/** Which stalls the list shows; null: all. */
interface StallFilter {
	cause?: string | null;
	blame?: number | null;
	loop?: number | null;
	visible?: boolean; // only those of the window
}

/** Stalls of one function with one cause, longest first. */
interface StallGroup {
	key: string;
	blame: number; // -1: no function of the application
	cause: string;
	ns: number;
	stalls: Stall[];
}

interface StateColumns {
	starts: Float64Array;
	kinds: Uint8Array;
	flags: Uint8Array;
	calls: Uint32Array;
}
interface StackColumns {
	starts: Float64Array;
	stacks: Uint32Array;
	tasks: Uint32Array;
}
interface BoxColumns {
	starts: Float64Array;
	owner: Uint16Array;
	flags: Uint8Array;
	count: number;
}

interface PoolColumns {
	starts: Float64Array;
	flags: Uint8Array;
	busy: Uint32Array;
	idle: Uint32Array;
	unknown: Uint32Array;
}

// ── things: what can be pointed at and selected (hit.js) ─────────────────────────────────────────

interface HoldThing {
	kind: "hold";
	gil: number;
	index: number;
}
interface StateThing {
	kind: "state";
	thread: number;
	index: number;
}
interface TurnThing {
	kind: "turn";
	loop: number;
	index: number;
}
interface BusyThing {
	kind: "busy";
	pool: number;
	index: number;
}
interface FrameThing {
	kind: "frame";
	thread: number;
	index: number;
	node: number;
}
interface FoldThing {
	kind: "fold";
	thread: number;
	index: number;
	fold: number;
}
interface StallThing {
	kind: "stall";
	stall: number;
}
interface ThreadThing {
	kind: "thread";
	thread: number;
}
interface FunctionThing {
	kind: "function";
	function: number; // entry of the list
}
interface RangeThing {
	kind: "range";
	from: number;
	until: number;
}
type Thing =
	| HoldThing
	| StateThing
	| TurnThing
	| BusyThing
	| FrameThing
	| FoldThing
	| StallThing
	| ThreadThing
	| FunctionThing
	| RangeThing;

/** A stretch of a thread's time without a break in which a match of the search is in the stack. */
interface FoundPlace {
	thread: number;
	index: number; // of its first entry in the lane of stacks
	from: number;
	until: number;
}
/** A line of the search's list. */
interface FoundName {
	kind: "function" | "file" | "thread";
	name: string;
	place: string;
	title: string;
	ns: number | null;
	functions: number[];
	thread: number; // -1: not a thread
}

/** All that any thing has, as it is in an address. */
interface ThingNumbers {
	kind: string;
	gil: number;
	loop: number;
	pool: number;
	thread: number;
	stall: number;
	function: number;
	index: number;
	node: number;
	from: number;
	until: number;
	fold: number;
}

/** Who held the GIL longest during a wait; `all`: [index of a hold, ns of the overlap]. */
interface Holder {
	gil: number;
	thread: number;
	index: number;
	ns: number;
	all: [index: number, ns: number][];
}

type ThreadOrder = "lanes" | "held" | "waited" | "total";
type ClockName = "relative" | "local" | "utc";
/** How a list of stalls is sorted. */
type StallOrder = "group" | "length" | "time" | "cause";

/** What the timeline does for its parts. */
interface Actions {
	choose(thing: Thing): void;
	show(from: number, until: number): void;
	chooseStall(id: number): void;
	reveal(thread: number): void;
	redraw(): void;
	zoom(): void; // to what is chosen
}

// ── places ───────────────────────────────────────────────────────────────────────────────────────

interface Band {
	y: number;
	height: number;
}
interface WideBand extends Band {
	columns: number; // device pixels
}
interface Box {
	x: number;
	y: number;
	width: number;
	height: number;
}
interface PointerPlace {
	x: number;
	y: number;
	clientX: number;
	clientY: number;
}
/** A pointer that is pressed. */
interface Drag {
	pans: boolean; // otherwise it selects a range
	x: number;
	y: number;
	time: number;
	from: number; // the window's, and where the lanes were scrolled to
	scroll: number;
	moved: boolean;
}
/** The stretch of time that a pixel covers. */
interface PixelColumn {
	row: Row;
	from: number;
	until: number;
}

interface GroupPlace {
	open: boolean;
	whole: boolean; // stacks with all their frames
	y: number;
	height: number;
	rows: Row[];
	label?: HTMLElement;
	labelOpen?: string; // what it was made for
	captions?: (HTMLElement | null)[];
	of?: ProcessGroup; // in sight when that is open; absent in a recording of one process
}
interface ProcessGroup extends GroupPlace {
	kind: "process";
	process: number;
}
interface GilGroup extends GroupPlace {
	kind: "gil";
	gil: Gil;
}
interface ThreadGroup extends GroupPlace {
	kind: "thread";
	thread: Thread;
	behind?: AsleepGroup; // shown when that is open
}
/** The line that threads are behind that only sleep. */
interface AsleepGroup extends GroupPlace {
	kind: "asleep";
	process: number;
	threads: Thread[];
}
interface PoolGroup extends GroupPlace {
	kind: "pool";
	pool: Pool;
}
type LaneGroup = GilGroup | ThreadGroup | PoolGroup | AsleepGroup;
type Group = ProcessGroup | LaneGroup;

interface RowPlace {
	group: Group;
	y: number;
	height: number;
}
interface HoldRow extends RowPlace {
	kind: "hold" | "waiters";
	gil: Gil;
}
interface TurnRow extends RowPlace {
	kind: "turns";
	loop: Loop;
}
interface StateRow extends RowPlace {
	kind: "states";
	thread: Thread;
}
interface BusyRow extends RowPlace {
	kind: "busy";
	pool: Pool;
}
interface FlameRow extends RowPlace {
	kind: "flame";
	thread: Thread;
	whole: boolean;
	shown: number; // frames
}
type Row = HoldRow | TurnRow | StateRow | BusyRow | FlameRow;
/** What a group wants in a row, before it has a place. */
type RowWish = [kind: Row["kind"], height: number, content: object];

// ── drawing ──────────────────────────────────────────────────────────────────────────────────────

interface Look {
	colour: string;
	pattern?: CanvasPattern | null;
}
type OnWide = (kind: number, x: number, width: number, entry: number) => void;
type WideLabel = [x: number, width: number, text: string];
type FlameRun = [stack: number, asleep: boolean, first: number, last: number];
interface Scene {
	view: View;
	layout: Layout;
	scroll: number;
	width: number;
	height: number;
}
interface OverScene extends Scene {
	hover: Thing | null;
	selection: Thing | null;
	pointer: { x: number; y: number } | null;
}
interface WaitPair {
	wait?: Box;
	holder: Holder;
	main: [from: number, until: number];
	holds: Box[];
	states: Box[];
	target: Row | null;
}

/** Frames of others in a row, in the lanes; `text` has how many. */
interface Fold {
	names: string;
	text: string;
}
interface FoldedRun {
	names: string;
	nodes: number[];
}
/** What a lane shows of a stack, and the nodes of its folds. */
interface FoldedRows {
	path: number[];
	folded: Map<number, number[]>;
}

// ── flame graphs ─────────────────────────────────────────────────────────────────────────────────

/** What FlameGraph draws. */
interface FlameNodeLike {
	name: string;
	file?: string;
	line?: number;
	ns: number;
	self: number;
	readonly children: FlameNodeLike[];
}
interface FlameOptions {
	colour(node: any): string;
	title?(node: any): string[];
	onselect?(node: any): void;
	role?(node: any): string;
	onfold?(node: any): void;
	hidden?(node: any): { name: string; file: string }[];
	unfolded?(node: any): FlameNodeLike;
}
interface FlameBox {
	node: FlameNodeLike;
	parent: FlameBox | null;
	depth: number;
	at: number;
	start: number;
	end: number;
	below: FlameBox[] | null;
}
/** A function's times in the table. */
interface FlameSum {
	name: string;
	file: string;
	self: number;
	total: number;
}

/** The columns of one graph of the flame page (readFlames()). */
interface Flames {
	frame: Uint32Array;
	self: Float64Array;
	ns: Float64Array;
	depth: Uint16Array;
	first: Uint32Array;
	below: Uint32Array;
}
/** Nodes of graphs that are shown as one. */
type FlameSource = [flames: Flames, node: number];
interface FlameChild {
	frame: number;
	kind?: string;
	ns: number;
	sources: FlameSource[];
}

/** A node in the flame graph of a window. */
interface WindowNode extends FlameNodeLike {
	file: string;
	line: number;
	node: number; // of the recording's stacks; 0: of none, below 0: a thread
	role: "frame" | "group" | "fold";
	fold?: WindowFold;
	children: WindowNode[];
	below: Map<string | number, WindowNode>;
	states: Float64Array;
}
/** Frames of others; `least` to `most` of them, as stacks differ. */
interface WindowFold {
	names: string;
	functions: Set<number>;
	least: number;
	most: number;
}
/** A stack's time in the window. */
interface WindowSample {
	thread: Thread | null; // null: there is only one
	stack: number;
	sums: Float64Array;
	ns: number;
}
/** What a stack adds to the tree; `nodes`: the frames of a fold. */
interface WindowStep {
	key: string | number;
	name: string;
	file: string;
	line: number;
	node: number;
	role: WindowNode["role"];
	nodes?: number[];
}
