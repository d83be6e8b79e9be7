/* SPDX-License-Identifier: MIT */
#include "view/tui/tui_terminal.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "view/tui/tui.h"

#ifdef __SANITIZE_ADDRESS__
/* For the sanitizer build: ncurses keeps memory of a closed terminal (6.6 does, 6.4 does not). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libncursesw.so";
}
#endif

/* What a signal handler needs to restore the terminal. There is only one terminal. */
static struct {
	volatile sig_atomic_t taken;
	int in, out;
	bool has_modes;
	struct termios modes;
	char bytes[256];
	size_t length;
} saved;

/* Appends a capability's string, without the delays for old terminals that tputs() would add. */
static void save_string(const char *capability)
{
	const char *string = tigetstr(capability);

	if (!string || string == (char *)-1)
		return;
	while (*string && saved.length < sizeof(saved.bytes) - 1) {
		if (!strncmp(string, "$<", 2) && strchr(string, '>'))
			string = strchr(string, '>') + 1;
		else
			saved.bytes[saved.length++] = *string++;
	}
}

static void save_bytes(const char *bytes)
{
	for (; *bytes && saved.length < sizeof(saved.bytes) - 1; bytes++)
		saved.bytes[saved.length++] = *bytes;
}

void terminal_save_modes(FILE *in)
{
	saved.in = fileno(in);
	saved.has_modes = !tcgetattr(saved.in, &saved.modes);
}

void terminal_taken(FILE *out)
{
	saved.out = fileno(out);
	saved.length = 0;
	save_string("sgr0");
	save_string("op");
	save_string("rmkx");
	save_string("cnorm");
	save_string("rmcup");
	if (tigetstr("kmous") && tigetstr("kmous") != (char *)-1)
		save_bytes("\033[?1006;1000l"); /* no mouse, as ncurses' XM says it */
	saved.taken = 1;
}

void tui_restore(void)
{
	if (!saved.taken)
		return;
	saved.taken = 0;
	if (saved.has_modes)
		tcsetattr(saved.in, TCSANOW, &saved.modes);
	if (write(saved.out, saved.bytes, saved.length) < 0)
		return;
}

void terminal_given_back(void)
{
	saved.taken = 0;
}

/* Terminal types that understand what xterm does, as far as top needs it. */
static bool is_like_xterm(const char *term)
{
	static const char *const kinds[] = {"xterm", "screen", "tmux", "linux"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(term, kinds[i], strlen(kinds[i])))
			return true;
	return false;
}

/* Where the system has no terminal descriptions (a container with nothing but gilscope), common
 * terminals are drawn on by a built-in one. */
static int set_up(const char *term, int fd)
{
	static const char description[] =
#include "terminfo.inc"
		;
	int error;

	if (setupterm(term, fd, &error) == OK)
		return 0;
	if (!is_like_xterm(term) || setenv("TERMINFO", description, 1) ||
	    setenv("TERM", "xterm-256color", 1))
		return -ENOTTY;
	return setupterm(NULL, fd, &error) == OK ? 0 : -ENOTTY;
}

static int refuse(struct diag *diag, const char *what, const char *term)
{
	diag_set(diag, EXIT_USAGE, -ENOTTY, what, term);
	diag_hint(diag, "'gilscope attach PID' prints a report instead");
	return -ENOTTY;
}

int terminal_check(const char *kind, FILE *in, FILE *out, bool is_standard, struct diag *diag)
{
	const char *term = kind ? kind : getenv("TERM");
	bool able;

	if (is_standard && (!isatty(fileno(in)) || !isatty(fileno(out))))
		return refuse(diag,
			      "top draws on a terminal, and standard input or output is not one%s",
			      "");
	if (!term || !*term)
		return refuse(diag,
			      "top draws on a terminal, and TERM does not say which kind it is%s",
			      "");
	if (set_up(term, fileno(out)) < 0)
		return refuse(diag,
			      "top cannot draw here: nothing is known of a terminal of the kind "
			      "TERM=%.64s",
			      term);
	able = cursor_address != NULL;
	del_curterm(cur_term);
	return able ? 0
		    : refuse(diag, "top cannot draw on a terminal of the kind TERM=%.64s", term);
}
