// SPDX-License-Identifier: MIT
// date: print the date and time, in UTC.
#include <stdio.h>
#include <time.h>

#include "lib/util.h"

const char prog[] = "date";
const char usage_args[] = "[-u] [-d @SECONDS] [+FORMAT]";

int main(int argc, char **argv)
{
	const char *format = "%a %b %e %H:%M:%S UTC %Y";
	char text[256];
	time_t now = time(NULL);
	long long seconds;
	struct tm *tm;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '+') {
			format = argv[i] + 1;
		} else if (argv[i][0] == '-' && argv[i][1] == 'd' && i + 1 < argc &&
			   argv[i + 1][0] == '@' && parse_size(argv[i + 1] + 1, &seconds)) {
			now = seconds;
			i++;
		} else if (argv[i][0] != '-' || argv[i][1] != 'u') {
			usage();
		}
	}
	tm = gmtime(&now);
	if (!tm)
		die("%lld", (long long)now);
	if (strftime(text, sizeof text, format, tm) == 0)
		text[0] = '\0';
	puts(text);
	return finish(0);
}
