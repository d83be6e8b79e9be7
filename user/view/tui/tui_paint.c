/* SPDX-License-Identifier: MIT */
#include "view/tui/tui_paint.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"
#include "words/palette.h"

#define HEIGHTS 8

/* The numbers of the pairs are the styles'; pair 0 is the terminal's own. */
static attr_t attributes(const struct tui_paint *paint, int style)
{
	bool colour = paint->colours > 0;

	switch (style) {
	case TUI_PLAIN:
		return A_NORMAL;
	case TUI_STRONG:
		return A_BOLD;
	case TUI_FAINT:
		return colour ? A_DIM : A_NORMAL;
	case TUI_TITLE:
		return A_REVERSE;
	case TUI_ALARM:
		return A_BOLD | (colour ? (attr_t)COLOR_PAIR(style) : A_NORMAL);
	default:
		return colour ? (attr_t)COLOR_PAIR(style) : A_NORMAL;
	}
}

/* Our own signs, and their replacements in ASCII. */
static const char *likeness(wchar_t sign)
{
	switch (sign) {
	case L'·':
		return "|";
	case L'≥':
		return ">=";
	case L'…':
		return "...";
	case L'µ':
		return "u";
	case L'–':
		return "-";
	default:
		return "?";
	}
}

/* The next character, '?' for what is not one; advances by at least one byte. Not mbrtowc(), which
 * knows no UTF-8 in an ASCII locale. */
static const char *next_character(const char *text, wchar_t *ret_sign)
{
	uint32_t value;
	size_t length = utf8_decode(text, SIZE_MAX, &value);

	if (!length || value > 0x10ffff)
		value = '?';
	*ret_sign = value == 0xa0 ? L' ' : (wchar_t)value;
	return text + (length ? length : 1);
}

/*
 * Converts the beginning of a text, at most `columns` wide, to what the terminal can show, at most
 * `room` characters. Returns its columns, and whether that was all of it.
 */
static int convert(const struct tui_paint *paint, const char *text, int columns, wchar_t *to,
		   int room, int *ret_count, bool *ret_whole)
{
	int used = 0, count = 0;

	while (*text) {
		wchar_t sign;
		const char *next = next_character(text, &sign), *ascii = NULL;
		int width = sign >= 0x20 && sign < 0x7f ? 1 : wcwidth(sign);

		if (sign >= 0x7f && !paint->utf8) {
			ascii = likeness(sign);
			width = (int)strlen(ascii);
		} else if (width < 0) {
			sign = L'?';
			width = 1;
		}
		if (used + width > columns || count + (ascii ? width : 1) > room)
			break;
		for (int i = 0; ascii && ascii[i]; i++)
			to[count++] = (wchar_t)ascii[i];
		if (!ascii)
			to[count++] = sign;
		used += width;
		text = next;
	}
	*ret_count = count;
	*ret_whole = !*text;
	return used;
}

#define CHARACTERS_MAX 1024

int tui_width(const struct tui_paint *paint, const char *text)
{
	wchar_t signs[CHARACTERS_MAX];
	bool whole;
	int count;

	return convert(paint, text, CHARACTERS_MAX, signs, CHARACTERS_MAX, &count, &whole);
}

int tui_put(const struct tui_paint *paint, int y, int x, int columns, int style, const char *text)
{
	wchar_t signs[CHARACTERS_MAX + 1];
	int count, used;
	bool whole;

	if (y < 0 || y >= paint->rows || x < 0 || x >= paint->columns || columns <= 0)
		return 0;
	if (columns > paint->columns - x)
		columns = paint->columns - x;
	used = convert(paint, text, columns, signs, CHARACTERS_MAX, &count, &whole);
	if (!whole && columns > 2) {
		used = convert(paint, text, columns - 1, signs, CHARACTERS_MAX, &count, &whole) + 1;
		signs[count++] = paint->utf8 ? L'…' : L'~';
	}
	attrset(attributes(paint, style));
	mvaddnwstr(y, x, signs, count);
	attrset(A_NORMAL);
	return used;
}

void tui_put_right(const struct tui_paint *paint, int y, int x, int columns, int style,
		   const char *text)
{
	int width = tui_width(paint, text);

	tui_put(paint, y, x + (width < columns ? columns - width : 0), columns, style, text);
}

int tui_put_wrapped(const struct tui_paint *paint, int y, int x, int columns, int rows, int style,
		    const char *text)
{
	int row = 0, column = 0, last = 0;

	while (*text && row < rows) {
		size_t length = strcspn(text, " ");
		char word[512];
		int width;

		length = length < sizeof(word) ? length : sizeof(word) - 1;
		memcpy(word, text, length);
		word[length] = '\0';
		width = tui_width(paint, word);
		if (column && column + 1 + width > columns) {
			last = column;
			row++;
			column = 0;
			continue;
		}
		column += column ? 1 : 0;
		column += tui_put(paint, y + row, x + column, columns - column, style, word);
		text += length + strspn(text + length, " ");
	}
	if (*text) /* where it was cut */
		tui_put(paint, y + rows - 1, x + (last < columns ? last : columns - 1), 1, style,
			paint->utf8 ? "…" : "~");
	return row < rows ? row + (column > 0) : rows;
}

void tui_repeat(const struct tui_paint *paint, int y, int x, int columns, int style, char letter)
{
	if (y < 0 || y >= paint->rows || x < 0 || x >= paint->columns)
		return;
	if (columns > paint->columns - x)
		columns = paint->columns - x;
	attrset(attributes(paint, style));
	for (int i = 0; i < columns; i++)
		mvaddch(y, x + i, (chtype)(unsigned char)letter);
	attrset(A_NORMAL);
}

int tui_legend(const struct tui_paint *paint, int y, int x, int style, char letter,
	       const char *words)
{
	if (x + 2 + tui_width(paint, words) > paint->columns)
		return paint->columns;
	tui_repeat(paint, y, x, 1, style, letter);
	return x + 2 + tui_put(paint, y, x + 2, paint->columns, TUI_PLAIN, words) + 2;
}

void tui_bar(const struct tui_paint *paint, int y, int x, int columns,
	     const struct state_sums *sums, uint64_t whole)
{
	uint64_t passed = 0;
	int drawn = 0;

	/* cells are assigned by the running sum, so that rounding errors do not add up */
	for (int i = 0; i < TS_COUNT && whole; i++) {
		int end;

		passed += sums->ns[i];
		end = (int)((double)passed * columns / (double)whole + 0.5);
		end = end > columns ? columns : end;
		tui_repeat(paint, y, x + drawn, end - drawn, TUI_STATES + i,
			   palette_of((enum thread_state)i)->letter);
		drawn = end;
	}
}

void tui_height(const struct tui_paint *paint, int y, int x, uint64_t value, uint64_t threshold)
{
	static const char *const signs[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
				 *const ascii[] = {".", ":", "-", "=", "+", "*", "#", "@"};
	static const uint64_t times[] = {3, 10, 30}, below[] = {6, 36, 216};
	bool over = value >= threshold;
	int height = over ? HEIGHTS / 2 : HEIGHTS / 2 - 1;

	if (!value)
		return;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (over ? value / times[i] >= threshold : value < threshold / below[i])
			height += over ? 1 : -1;
	tui_put(paint, y, x, 1, over ? TUI_ALARM : TUI_GOOD,
		paint->utf8 ? signs[height] : ascii[height]);
}
