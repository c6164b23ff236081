// SPDX-License-Identifier: MIT
// chmod: change the permissions of files: an octal number, or who (u g o a), what to do (+ - =) and
// permissions (r w x), several with commas between: u+x,go-w.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/util.h"

const char prog[] = "chmod";
const char usage_args[] = "OCTAL | [ugoa]*[+-=][rwx]*[,...] FILE...";

// The bits of one clause's "rwx" for everybody, or of its "ugo"; *P moves behind them.
static mode_t take_letters(const char **p, const char *letters, const mode_t *bits)
{
	mode_t mode = 0;
	const char *found;

	for (; **p && (found = strchr(letters, **p)); ++*p)
		mode |= bits[found - letters];
	return mode;
}

// Applies MODE as written to OLD; usage() when it is none.
static mode_t changed(const char *p, mode_t old)
{
	static const mode_t who_bits[] = {S_IRWXU, S_IRWXG, S_IRWXO, 0777};
	static const mode_t what_bits[] = {0444, 0222, 0111};
	char *end;
	mode_t mode = (mode_t)strtoul(p, &end, 8), who, what;
	char action;

	if (*end == '\0' && end > p && mode <= 07777)
		return mode;
	for (mode = old & 07777;; p++) {
		who = take_letters(&p, "ugoa", who_bits);
		action = *p;
		if (!action || !strchr("+-=", action))
			usage();
		p++;
		who = who ? who : 0777;
		what = take_letters(&p, "rwx", what_bits) & who;
		if (action == '=')
			mode &= ~who;
		mode = action == '-' ? mode & ~what : mode | what;
		if (*p == '\0')
			return mode;
		if (*p != ',')
			usage();
	}
}

int main(int argc, char **argv)
{
	struct stat st;
	int status = 0;

	if (argc < 3)
		usage();
	for (char **path = argv + 2; *path; path++) {
		if (stat(*path, &st) == 0 && chmod(*path, changed(argv[1], st.st_mode)) == 0)
			continue;
		complain("%s", *path);
		status = 1;
	}
	return status;
}
