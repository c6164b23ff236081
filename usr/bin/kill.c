// SPDX-License-Identifier: MIT
// kill: send a signal (TERM unless told) to processes; a negative PID is a process group.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/signals.h"
#include "lib/util.h"

const char prog[] = "kill";
const char usage_args[] = "[-l] [-SIGNAL | -s SIGNAL] [--] PID...";

static int list_signals(void)
{
	for (int i = 1; i < 32; i++)
		if (signal_name(i))
			printf("%2d %s\n", i, signal_name(i));
	return finish(0);
}

static int signal_or_usage(const char *text)
{
	int number = signal_number(text);

	if (number < 0) {
		complain_plain("%s: no such signal", text);
		exit(EXIT_USAGE);
	}
	return number;
}

int main(int argc, char **argv)
{
	int number = SIGTERM, status = 0, i = 1;

	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list_signals();
	if (argc > 2 && !strcmp(argv[1], "-s")) {
		number = signal_or_usage(argv[2]);
		i = 3;
	} else if (argc > 2 && argv[1][0] == '-' && strcmp(argv[1], "--")) {
		number = signal_or_usage(argv[1] + 1);
		i = 2;
	}
	if (i < argc && !strcmp(argv[i], "--"))
		i++;
	if (i == argc)
		usage();
	for (; i < argc; i++) {
		char *end;
		long pid = strtol(argv[i], &end, 10);

		if (end == argv[i] || *end) {
			complain_plain("%s: not a process id", argv[i]);
			status = 1;
		} else if (kill((pid_t)pid, number) != 0) {
			complain("%s", argv[i]);
			status = 1;
		}
	}
	return status;
}
