/* SPDX-License-Identifier: MIT */
#include "cmd/top/screen.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Only distinguishes UTF-8 from other character sets: the converters of those are shared libraries
 * of the system's C library, which a static program cannot load.
 */
void screen_character_set(void)
{
	const char *names[] = {getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!names[i] || !*names[i])
			continue;
		/* a UTF-8 locale that this system lacks, such as ssh forwards, is UTF-8 too */
		if ((strcasestr(names[i], "utf-8") || strcasestr(names[i], "utf8")) &&
		    !setlocale(LC_CTYPE, ""))
			setlocale(LC_CTYPE, "C.UTF-8");
		return;
	}
}

/* Restores the terminal before a signal ends the process. */
static void on_death(int number)
{
	tui_restore();
	signal(number, SIG_DFL);
	raise(number);
}

static void restore_on_death(void)
{
	static const int numbers[] = {SIGQUIT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction action = {.sa_handler = on_death, .sa_flags = SA_NODEFER};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

/* Messages would garble the screen, so they are kept until it is closed. */
static void hold_messages(struct screen *screen)
{
	screen->messages = memfd_create("messages", MFD_CLOEXEC);
	if (screen->messages < 0)
		return;
	fflush(stderr);
	screen->stderr_fd = dup(STDERR_FILENO);
	if (screen->stderr_fd >= 0)
		dup2(screen->messages, STDERR_FILENO);
}

static void release_messages(struct screen *screen)
{
	char bytes[4096];
	ssize_t length;

	if (screen->stderr_fd < 0)
		return;
	fflush(stderr);
	dup2(screen->stderr_fd, STDERR_FILENO);
	close(screen->stderr_fd);
	screen->stderr_fd = -1;
	lseek(screen->messages, 0, SEEK_SET);
	while ((length = read(screen->messages, bytes, sizeof(bytes))) > 0)
		if (write(STDERR_FILENO, bytes, (size_t)length) < 0)
			break;
	close(screen->messages);
}

int screen_open(struct screen *screen, bool plain, struct diag *diag)
{
	int err = tui_new(&(struct tui_options){.plain = plain}, diag, &screen->tui);

	screen->stderr_fd = -1;
	if (err)
		return err;
	restore_on_death();
	hold_messages(screen);
	return 0;
}

void screen_close(struct screen *screen)
{
	if (!screen->tui)
		return;
	tui_free(screen->tui);
	screen->tui = NULL;
	release_messages(screen);
}
