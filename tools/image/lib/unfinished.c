// SPDX-License-Identifier: MIT
/* Half a file is worse than none: it goes when the tool ends before its time, also by a signal. */
#include "image.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *volatile unfinished;

/* Safe in a signal handler. */
static void remove_unfinished(void)
{
	struct stat st;

	if (unfinished && stat(unfinished, &st) == 0 && S_ISREG(st.st_mode))
		unlink(unfinished);
}

static void die_of(int number)
{
	static const char clear[] = "\r\033[K";

	remove_unfinished();
	if (isatty(STDERR_FILENO) && write(STDERR_FILENO, clear, sizeof(clear) - 1) < 0)
		_exit(1);
	signal(number, SIG_DFL);
	raise(number);
}

void image_unfinished(const char *path)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	static bool watching;

	unfinished = path;
	if (watching)
		return;
	watching = true;
	atexit(remove_unfinished);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (signal(numbers[i], die_of) == SIG_IGN)
			signal(numbers[i], SIG_IGN);
}
