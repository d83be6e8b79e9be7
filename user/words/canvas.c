/* SPDX-License-Identifier: MIT */
#include "words/canvas.h"

#include <string.h>

#include "words/palette.h"

static bool is_nbsp(const char *bytes)
{
	return !strncmp(bytes, NBSP, 2);
}

static void put_bytes(const struct canvas *canvas, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool blank = is_nbsp(bytes + i);

		fputc(blank ? ' ' : bytes[i], canvas->file);
		i += blank;
	}
}

/* The length of the next word. What no-break spaces keep together is one, unless it is wider than a
 * line. */
static size_t word_length(const char *bytes, unsigned columns)
{
	size_t length = strcspn(bytes, " ");
	struct text_buffer word = {0};
	const char *blank = strstr(bytes, NBSP);

	text_add(&word, "%.*s", (int)length, bytes);
	if (text_width(word.bytes) > columns && blank && blank < bytes + length)
		return (size_t)(blank - bytes);
	return length;
}

void canvas_paragraph(const struct canvas *canvas, const char *first, unsigned indent,
		      const struct text_buffer *text)
{
	const char *word = text->bytes;
	unsigned column = indent;

	fputs(first, canvas->file);
	while (*word) {
		struct text_buffer one = {0};
		size_t length = word_length(
			word, canvas->columns > indent ? canvas->columns - indent : 0);
		unsigned width;

		text_add(&one, "%.*s", (int)length, word);
		width = text_width(one.bytes);
		if (column > indent && column + 1 + width > canvas->columns) {
			fprintf(canvas->file, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', canvas->file);
			column++;
		}
		put_bytes(canvas, one.bytes, one.length);
		column += width;
		word += length;
		word += is_nbsp(word) ? strlen(NBSP) : strspn(word, " ");
	}
	fputc('\n', canvas->file);
}

void canvas_heading(const struct canvas *canvas, const struct text_buffer *text)
{
	fputs(canvas->colour ? "\033[1m" : "", canvas->file);
	put_bytes(canvas, text->bytes, text->length);
	fputs(canvas->colour ? "\033[0m\n" : "\n", canvas->file);
}

void text_add_duration_or_dot(struct text_buffer *text, uint64_t ns)
{
	if (ns)
		text_add_duration(text, ns);
	else
		text_add(text, "·");
}

void canvas_cell(const struct canvas *canvas, const char *bytes, unsigned columns, bool right)
{
	unsigned width = text_width(bytes), blanks = columns > width ? columns - width : 0;

	fprintf(canvas->file, "%*s", right ? (int)blanks : 0, "");
	put_bytes(canvas, bytes, strlen(bytes));
	fprintf(canvas->file, "%*s", right ? 0 : (int)blanks, "");
}

void canvas_strong(const struct canvas *canvas, const char *bytes, unsigned columns)
{
	fputs(canvas->colour ? "\033[1m" : "", canvas->file);
	put_bytes(canvas, bytes, strlen(bytes));
	fputs(canvas->colour ? "\033[0m" : "", canvas->file);
	canvas_cell(canvas, "", columns > text_width(bytes) ? columns - text_width(bytes) : 0,
		    false);
}

void canvas_letter(const struct canvas *canvas, enum thread_state state, unsigned times)
{
	const struct palette *palette = palette_of(state);

	if (canvas->colour && times)
		fprintf(canvas->file, "\033[%d;48;5;%um", palette->dark ? 97 : 30, palette->ansi);
	for (unsigned i = 0; i < times; i++)
		fputc(palette->letter, canvas->file);
	if (canvas->colour && times)
		fputs("\033[0m", canvas->file);
}

void canvas_bar(const struct canvas *canvas, const struct state_sums *sums, uint64_t whole,
		unsigned columns)
{
	uint64_t passed = 0;
	unsigned drawn = 0;

	/* cells are assigned by the running sum, so that rounding errors do not add up */
	for (int i = 0; i < TS_COUNT && whole; i++) {
		unsigned end;

		passed += sums->ns[i];
		end = (unsigned)((double)passed * columns / (double)whole + 0.5);
		end = end > columns ? columns : end;
		canvas_letter(canvas, (enum thread_state)i, end - drawn);
		drawn = end;
	}
	fprintf(canvas->file, "%*s", (int)(columns - drawn), "");
}
