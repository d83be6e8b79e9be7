/* SPDX-License-Identifier: MIT */
#include "python/source/source_text.h"

#include <string.h>

enum { DECORATION_LINES_MAX = 200 }; /* that are searched for the `def` */

struct piece {
	const char *at;
	size_t length;
};

struct lines {
	struct piece rest;
	uint32_t number; /* of the line that was taken last */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static struct piece stripped(struct piece piece)
{
	while (piece.length && is_blank(piece.at[0]))
		piece = (struct piece){piece.at + 1, piece.length - 1};
	while (piece.length && is_blank(piece.at[piece.length - 1]))
		piece.length--;
	return piece;
}

/* Lines end as for Python's tokenizer: with LF, CR or both. */
static bool next_line(struct lines *lines, struct piece *ret_line)
{
	const char *at = lines->rest.at, *end = at + lines->rest.length, *lf, *cr, *stop;

	if (!lines->rest.length)
		return false;
	lf = memchr(at, '\n', lines->rest.length);
	cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));
	stop = cr ? cr : lf ? lf : end;
	*ret_line = stripped((struct piece){at, (size_t)(stop - at)});
	stop += stop < end;
	stop += cr && stop == lf;
	lines->rest = (struct piece){stop, (size_t)(end - stop)};
	lines->number++;
	return true;
}

/* Moves to before a line. */
static bool go_to(struct lines *lines, uint32_t number)
{
	struct piece line;

	while (lines->number + 1 < number)
		if (!next_line(lines, &line))
			return false;
	return number > 0;
}

/* ── does the text fit the code? ─────────────────────────────────────────── */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

/* Takes a word and the blanks behind it from the line's begin. */
static bool take_word(struct piece *line, const char *word, size_t length)
{
	if (line->length < length || memcmp(line->at, word, length) != 0 ||
	    (line->length > length && is_word(line->at[length])))
		return false;
	*line = stripped((struct piece){line->at + length, line->length - length});
	return true;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool has_lambda(struct piece line)
{
	for (; line.length; line = (struct piece){line.at + 1, line.length - 1})
		if (take_word(&(struct piece){line.at, line.length}, "lambda", 6))
			return true;
	return false;
}

/* `lines` stand before the first line of the code. */
static bool fits(struct lines lines, const struct source_place *place)
{
	const char *name = last_part(place->name);
	struct piece line;

	if (name[0] == '<' && strcmp(name, "<lambda>") != 0)
		return ends_with(place->file, ".py");
	if (name[0] == '<')
		return next_line(&lines, &line) && has_lambda(line);
	for (int i = 0; i < DECORATION_LINES_MAX && next_line(&lines, &line); i++) {
		take_word(&line, "async", 5);
		if (take_word(&line, "def", 3) || take_word(&line, "class", 5))
			return take_word(&line, name, strlen(name));
		if (!i && (!line.length || line.at[0] != '@'))
			return false;
	}
	return false;
}

/* ── text ────────────────────────────────────────────────────────────────── */

/* A line that is put together; what does not fit is cut. */
struct joined {
	char *to;
	size_t length;
	bool cut;
};

static void put(struct joined *joined, char c)
{
	if (joined->length + 1 < SOURCE_TEXT_MAX)
		joined->to[joined->length++] = c;
	else
		joined->cut = true;
}

static void finish(struct joined *joined)
{
	static const char ellipsis[] = "\xe2\x80\xa6";

	if (joined->cut) {
		joined->length = SOURCE_TEXT_MAX - sizeof(ellipsis);
		/* not inside a character */
		while (joined->length && (joined->to[joined->length] & 0xc0) == 0x80)
			joined->length--;
		memcpy(joined->to + joined->length, ellipsis, sizeof(ellipsis) - 1);
		joined->length += sizeof(ellipsis) - 1;
	}
	joined->to[joined->length] = '\0';
}

static bool put_line(struct piece line, char to[static SOURCE_TEXT_MAX])
{
	struct joined joined = {.to = to};

	if (!line.length || line.at[0] == '#')
		return false;
	for (size_t i = 0; i < line.length; i++)
		put(&joined, line.at[i] == '\t' || !line.at[i] ? ' ' : line.at[i]);
	finish(&joined);
	return true;
}

/* ── decorators ──────────────────────────────────────────────────────────── */

struct decorator {
	struct joined joined;
	char quote; /* inside a string: what ends it */
	int depth;  /* of brackets */
	bool path;  /* a string begins with a slash */
};

static char last_put(const struct joined *joined)
{
	return joined->length ? joined->to[joined->length - 1] : '\0';
}

/* Joins the lines as one would have written them in one. */
static void join(struct joined *joined, char next)
{
	if (next == ')' || next == ']' || next == '}') {
		if (last_put(joined) == ',')
			joined->length--;
		return;
	}
	if (joined->length && !strchr("([{", last_put(joined)))
		put(joined, ' ');
}

static void in_string(struct decorator *decorator, const struct piece *line, size_t *at)
{
	char c = line->at[*at];

	if (c == '\\' && *at + 1 < line->length) {
		put(&decorator->joined, c);
		c = line->at[++*at];
	} else if (c == decorator->quote) {
		decorator->quote = '\0';
	}
	put(&decorator->joined, c);
}

/* Adds a line. Strings of three quotes are not understood; what is made of them is still text of
 * the file. */
static void add_line(struct decorator *decorator, struct piece line)
{
	if (line.length && line.at[0] != '#')
		join(&decorator->joined, line.at[0]);
	for (size_t i = 0; i < line.length; i++) {
		char c = line.at[i];

		if (decorator->quote) {
			in_string(decorator, &line, &i);
			continue;
		}
		if (c == '#')
			break;
		if (c == '"' || c == '\'') {
			decorator->quote = c;
			decorator->path |= i + 1 < line.length && line.at[i + 1] == '/';
		}
		decorator->depth += c == '(' || c == '[' || c == '{';
		decorator->depth -= c == ')' || c == ']' || c == '}';
		put(&decorator->joined, is_blank(c) || !c ? ' ' : c);
	}
	while (last_put(&decorator->joined) == ' ')
		decorator->joined.length--;
	decorator->quote = '\0'; /* a string ends with its line */
}

/* Reads one decorator. False: here is none. */
static bool take_decorator(struct lines *lines, char to[static SOURCE_TEXT_MAX], bool *ret_path)
{
	struct decorator decorator = {.joined = {.to = to}};
	struct lines before = *lines;
	struct piece line;

	for (int i = 0; i < DECORATION_LINES_MAX && next_line(lines, &line); i++) {
		if (!i && (!line.length || line.at[0] == '#')) {
			i--; /* between two of them */
			before = *lines;
			continue;
		}
		if (!i && line.at[0] != '@')
			break;
		add_line(&decorator, line);
		if (decorator.depth <= 0) {
			finish(&decorator.joined);
			*ret_path = decorator.path;
			return true;
		}
	}
	*lines = before;
	return false;
}

static bool find_decorator(struct lines lines, char to[static SOURCE_TEXT_MAX])
{
	char next[SOURCE_TEXT_MAX];
	bool path;

	if (!take_decorator(&lines, to, &path))
		return false;
	while (!path && take_decorator(&lines, next, &path))
		if (path)
			memcpy(to, next, sizeof(next));
	return true;
}

bool source_find(const char *text, size_t length, const struct source_place *place,
		 char to[static SOURCE_TEXT_MAX])
{
	struct lines lines = {.rest = {text, length}};
	struct piece line;

	if (!go_to(&lines, place->first_line) || !fits(lines, place))
		return false;
	if (!place->line)
		return find_decorator(lines, to);
	return place->line >= place->first_line && go_to(&lines, place->line) &&
	       next_line(&lines, &line) && put_line(line, to);
}
