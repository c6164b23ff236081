// SPDX-License-Identifier: MIT
// mapsum: SHA-256 of files through a private mapping; prints what sha256sum prints.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/mapfile.h"
#include "lib/sha256.h"
#include "lib/util.h"

const char prog[] = "mapsum";
const char usage_args[] = "FILE...";

// sha256sum escapes a name that holds a backslash or a newline and starts its line with '\'.
static void print_sum(const uint8_t digest[SHA256_BYTES], const char *name)
{
	if (strpbrk(name, "\\\n\r"))
		putchar('\\');
	for (int i = 0; i < SHA256_BYTES; i++)
		printf("%02x", digest[i]);
	fputs("  ", stdout);
	for (; *name; name++) {
		if (*name == '\\')
			fputs("\\\\", stdout);
		else if (*name == '\n')
			fputs("\\n", stdout);
		else if (*name == '\r')
			fputs("\\r", stdout);
		else
			putchar(*name);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	int status = 0;

	if (getopt(argc, argv, "") != -1 || optind == argc)
		usage();
	for (; optind < argc; optind++) {
		uint8_t digest[SHA256_BYTES];
		struct mapped_file file;

		if (map_file(&file, argv[optind], false) != 0) {
			status = 1;
			continue;
		}
		sha256(file.bytes, file.size, digest);
		unmap_file(&file);
		print_sum(digest, argv[optind]);
	}
	return finish(status);
}
