// SPDX-License-Identifier: MIT
// pwd: print the working folder.
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "pwd";
const char usage_args[] = "";

int main(void)
{
	char path[PATH_MAX];

	if (!getcwd(path, sizeof path))
		die("working folder");
	puts(path);
	return finish(0);
}
