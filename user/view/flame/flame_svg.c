/* SPDX-License-Identifier: MIT */
/*
 * The flame graph as a picture: a self-contained SVG without a script, for documents. The <title>
 * of a box, which browsers show under the mouse, says what it is. Its colours are those of
 * assets/flamesvg.css, light and dark; those of the states come from palette.def.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "view/assets.h"
#include "view/flames.h"
#include "words/names.h"
#include "words/palette.h"
#include "words/words.h"

/* CSS pixels */
#define WIDTH	      1200
#define MARGIN	      10
#define ROW	      18
#define COLUMN	      6.75 /* of 11px monospace, in the widest of the usual fonts */
#define HEAD	      52
#define LEAST	      0.4 /* narrower boxes would only be a shade, and are left out */
#define NOTE_COLUMNS  170
#define TITLE_COLUMNS 120

struct svg {
	FILE *file;
	const struct report *report;
	const struct view_options *options;
	struct flame_index *index;
	struct flame_tree tree;
	uint32_t *order; /* nodes by parent, the largest first */
	uint32_t *first; /* by node: index of its first child in `order`; one more at the end */
	unsigned depth;	 /* number of rows drawn */
	bool states;	 /* the innermost frames are states */
	uint64_t sums[TS_COUNT];
	double scale; /* pixels a nanosecond */
};

/* Writes text from the target, already escaped by escape_text(), between two tags or in an
 * attribute. U+FFFE and U+FFFF are not XML characters. */
static void put_text(FILE *file, const char *text)
{
	for (; *text; text++)
		if (*text == '<')
			fputs("&lt;", file);
		else if (*text == '>')
			fputs("&gt;", file);
		else if (*text == '&')
			fputs("&amp;", file);
		else if (*text == '"')
			fputs("&quot;", file);
		else if (!strncmp(text, "\xef\xbf\xbe", 3) || !strncmp(text, "\xef\xbf\xbf", 3)) {
			fprintf(file, "\\xef\\xbf\\x%02x", (unsigned char)text[2]);
			text += 2;
		} else
			fputc(*text, file);
}

static int larger_first(const void *a, const void *b, void *ctx)
{
	const struct flame_node *x = &((const struct flame_node *)ctx)[*(const uint32_t *)a],
				*y = &((const struct flame_node *)ctx)[*(const uint32_t *)b];

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Children, the largest first: readers begin on the left. */
static int put_in_order(struct svg *svg)
{
	uint32_t count = svg->tree.count, at = 0;

	svg->order = calloc(count, sizeof(*svg->order));
	svg->first = calloc((size_t)count + 1, sizeof(*svg->first));
	if (!svg->order || !svg->first)
		return -ENOMEM;
	for (uint32_t i = 1; i < count; i++)
		svg->order[i - 1] = i;
	qsort_r(svg->order, count - 1, sizeof(*svg->order), larger_first, svg->tree.nodes);
	for (uint32_t node = 0; node < count; node++) {
		svg->first[node] = at;
		while (at < count - 1 && svg->tree.nodes[svg->order[at]].parent == node)
			at++;
	}
	svg->first[count] = at;
	return 0;
}

static unsigned depth_of(const struct svg *svg, uint32_t node)
{
	unsigned deepest = 0;

	for (uint32_t i = svg->first[node]; i < svg->first[node + 1]; i++) {
		const struct flame_node *child = &svg->tree.nodes[svg->order[i]];
		unsigned depth = (double)child->ns * svg->scale < LEAST
					 ? 0
					 : depth_of(svg, svg->order[i]);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* If a qualified name is too long for its box, its last part; nothing if only dots would fit. */
static void put_label(const struct svg *svg, const char *name, double x, double y, double width)
{
	unsigned columns = width > 8 ? (unsigned)((width - 8) / COLUMN) : 0;
	const char *last = strrchr(name, '.');
	struct text_buffer text = {0};

	if (text_width(name) > columns && last && last[1])
		name = last + 1;
	if (columns < 3 && text_width(name) > columns)
		return;
	text_add_cut(&text, name, columns);
	fprintf(svg->file, "<text x=\"%.1f\" y=\"%.1f\">", x + 4, y + ROW - 5.5);
	put_text(svg->file, text.bytes);
	fputs("</text>", svg->file);
}

/* Its decorator and line of source, as far as they are known. */
static void put_source(const struct svg *svg, const struct flame_frame *frame)
{
	struct text_buffer decorator = {0}, source = {0};

	text_add_decorator(&decorator, svg->report, frame->function, TITLE_COLUMNS);
	text_add_source(&source, svg->report, &(struct stack_frame){frame->function, frame->line},
			TITLE_COLUMNS);
	if (decorator.length)
		fputs("\n", svg->file);
	put_text(svg->file, decorator.bytes);
	if (source.length)
		fputs("\n", svg->file);
	put_text(svg->file, source.bytes);
}

static void put_title(const struct svg *svg, const struct flame_node *node,
		      const struct flame_frame *frame, const struct flame_words *words)
{
	struct text_buffer text = {0};

	text_add_duration(&text, node->ns);
	text_add(&text, " (");
	text_add_count(&text, node->ns);
	text_add(&text, NBSP "ns), ");
	text_add_share(&text, node->ns, svg->tree.nodes[0].ns);
	text_add(&text, " of all");
	fputs("<title>", svg->file);
	put_text(svg->file, words->name);
	if (words->file[0]) {
		fputs("\n", svg->file);
		put_text(svg->file, words->file);
	}
	if (words->line)
		fprintf(svg->file, ":%u", words->line);
	put_source(svg, frame);
	fputs("\n", svg->file);
	put_text(svg->file, text.bytes);
	fputs("</title>", svg->file);
}

static enum thread_state state_named(const char *name)
{
	int i = 0;

	while (i < TS_UNKNOWN && strcmp(thread_state_name((enum thread_state)i), name) != 0)
		i++;
	return (enum thread_state)i;
}

/* Opens the group of a box, which colours it. `leading`: it is a thread, a process, a handler, or
 * an unknown stack. */
static void put_group(const struct svg *svg, const struct flame_frame *frame,
		      const struct flame_words *words, bool state, bool leading)
{
	const struct frame_names plain = frame_names(
		svg->report,
		&(struct stack_frame){.function = frame->function, .line = frame->line});

	if (state) {
		const struct palette *palette = palette_of(state_named(words->name));

		fprintf(svg->file, "<g class=\"%s\" fill=\"%s\">", palette->dark ? "dark" : "light",
			palette->hex);
	} else if (leading || !words->file[0]) {
		fprintf(svg->file, "<g class=\"%s\">", words->file[0] ? "handler" : "lead");
	} else {
		static const char *const classes[] = {
#define OWNER(NAME, class, doc) class,
#include "words/owners.def"
		};
		enum code_owner owner = handler_owner(svg->report->finder, words->name, plain.file);

		fprintf(svg->file, "<g class=\"%s\">", classes[shown_owner(owner)]);
	}
}

static void put_box(const struct svg *svg, uint32_t number, unsigned depth, double x)
{
	const struct flame_node *node = &svg->tree.nodes[number];
	const struct flame_frame frame = flame_index_frame(svg->index, node->frame);
	double width = (double)node->ns * svg->scale, y = HEAD + depth * ROW;
	/* stacks end with a state: nothing is below it */
	bool state = svg->states && svg->first[number] == svg->first[number + 1];
	struct flame_words words;

	flame_words(svg->report, &frame, &words);
	put_group(svg, &frame, &words, state, depth < (svg->report->process_count > 1 ? 3 : 2));
	put_title(svg, node, &frame, &words);
	fprintf(svg->file, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" rx=\"1\"/>", x,
		y, width > 3 ? width - 0.8 : width, ROW - 1);
	put_label(svg, words.name, x, y, width);
	fputs("</g>\n", svg->file);
}

static void put_children(const struct svg *svg, uint32_t node, unsigned depth, double x)
{
	for (uint32_t i = svg->first[node]; i < svg->first[node + 1]; i++) {
		double width = (double)svg->tree.nodes[svg->order[i]].ns * svg->scale;

		if (width >= LEAST) {
			put_box(svg, svg->order[i], depth, x);
			put_children(svg, svg->order[i], depth + 1, x);
		}
		x += width;
	}
}

static void put_line(const struct svg *svg, const char *class, double y, const char *text)
{
	fprintf(svg->file, "<text class=\"%s\" x=\"%d\" y=\"%.1f\">", class, MARGIN, y);
	put_text(svg->file, text);
	fputs("</text>\n", svg->file);
}

/* "gil_wait (by who held the GIL) 50.0 ms, blocked 35.0 ms": the part of the recording that is
 * shown. */
static void put_svg_head(const struct svg *svg, const struct flame_title *title)
{
	struct text_buffer states = {0}, cut = {0};

	text_add_cut(&cut, title->text, NOTE_COLUMNS - 30);
	put_line(svg, "title", 22, cut.bytes);
	for (int i = 0; i < TS_COUNT; i++) {
		if (!(svg->options->states & 1u << i) || (!svg->sums[i] && svg->tree.nodes[0].ns))
			continue;
		text_separate(&states, ", ");
		text_add(&states, "%s ", thread_state_name((enum thread_state)i));
		if (i == TS_GIL_WAIT)
			text_add(&states, svg->options->directions & FLAME_HOLDER
						  ? "(by who held the GIL) "
						  : "(by who waited) ");
		text_add_duration(&states, svg->sums[i]);
	}
	put_line(svg, "soft", 41, states.bytes);
}

static void put_why_empty(const struct svg *svg)
{
	put_line(svg, "soft", HEAD + 18,
		 svg->report->flame_count ? "No thread was in such a state in this recording."
					  : "There is nothing in this recording.");
}

/* Writes the document; the tree has been sorted. */
static void put_document(const struct svg *svg, const struct asset *style)
{
	struct view_note notes[VIEW_FLAME_NOTES];
	unsigned note_count = view_flame_notes(svg->report, svg->options, notes);
	unsigned foot = HEAD + (svg->tree.nodes[0].ns ? svg->depth : 2) * ROW,
		 height = foot + 10 + 16 * note_count;
	struct flame_title title;

	flame_title(svg->report, &title);
	fprintf(svg->file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 "
		"0 %d %u\" role=\"img\">\n<title>Flame graph: ",
		WIDTH, height, WIDTH, height);
	put_text(svg->file, title.text);
	fputs("</title>\n<style>\n", svg->file);
	fwrite(style->bytes, 1, style->length, svg->file);
	fprintf(svg->file, "</style>\n<rect class=\"ground\" width=\"%d\" height=\"%u\"/>\n", WIDTH,
		height);
	put_svg_head(svg, &title);
	if (svg->tree.nodes[0].ns)
		put_children(svg, 0, 0, MARGIN);
	else
		put_why_empty(svg);
	for (unsigned i = 0; i < note_count; i++) {
		struct text_buffer cut = {0};

		text_add_cut(&cut, notes[i].text, NOTE_COLUMNS);
		put_line(svg, "soft", foot + 16 * (i + 1), cut.bytes);
	}
	fputs("</svg>\n", svg->file);
}

static int make_tree(struct svg *svg)
{
	_cleanup_(freep) struct flame_row *rows = NULL;
	size_t count = 0;
	int err = flame_rows(svg->report, svg->options, &rows, &count);

	if (err < 0)
		return err;
	for (size_t i = 0; i < count; i++)
		svg->sums[rows[i].state] += rows[i].ns;
	svg->states = count && flame_rows_alike(rows, count) < count;
	err = flame_tree_make(svg->report, rows, count, svg->states, svg->index, &svg->tree);
	if (!err)
		err = put_in_order(svg);
	if (!err && svg->tree.nodes[0].ns)
		svg->scale = (double)(WIDTH - 2 * MARGIN) / (double)svg->tree.nodes[0].ns;
	if (!err)
		svg->depth = depth_of(svg, 0) - 1;
	return err;
}

static int show_svg(FILE *file, const struct report *report, const struct view_options *options)
{
	const struct asset *style = asset_find("flamesvg.css");
	struct svg svg = {
		.file = file, .report = report, .options = options, .index = flame_index_new()};
	int err = !style ? -ENOENT : svg.index ? make_tree(&svg) : -ENOMEM;

	if (!err)
		put_document(&svg, style);
	flame_tree_done(&svg.tree);
	flame_index_free(svg.index);
	free(svg.order);
	free(svg.first);
	if (!err && fflush(file) == EOF)
		err = -errno;
	return err ? err : ferror(file) ? -EIO : 0;
}

const struct view view_flame_svg = {.name = "flame svg", .show = show_svg};
