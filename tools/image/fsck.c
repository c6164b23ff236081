// SPDX-License-Identifier: MIT
/*
 * fsck [-n] IMAGE: check an image, and repair it unless -n is given.
 * What the journal has is put in place first, or with -n found there; nothing is written then.
 *
 * Exit status: 0 clean, 1 repaired, 4 errors left, 2 or 8 it could not run.
 */
#include "lib/image.h"
#include "lib/progress.h"

#include <stdio.h>
#include <string.h>

static void print(const char *line)
{
	if (image_before_message)
		image_before_message();
	printf("%s\n", line);
}

static void show(const char *phase, uint64_t done, uint64_t total)
{
	progress_to(phase, done, total, PROGRESS_ITEMS);
}

int main(int argc, char **argv)
{
	bool only_look = argc == 3 && strcmp(argv[1], "-n") == 0;
	enum image_fsck_result result;
	struct blkdev *dev;

	image_tool = "fsck";
	if (argc != (only_look ? 3 : 2) || (argc == 2 && argv[1][0] == '-')) {
		fputs("usage: fsck [-n] IMAGE\n", stderr);
		return 2;
	}
	dev = image_open(argv[argc - 1], !only_look);
	image_fsck_at = show;
	result = image_fsck(dev, !only_look, print);
	progress_end();
	image_close(dev);
	if (result == IMAGE_CLEAN)
		printf("%s: clean\n", dev->name);
	else if (result == IMAGE_FIXED)
		printf("%s: repaired\n", dev->name);
	else
		printf("%s: has errors%s\n", dev->name,
			only_look ? "" : " that cannot be repaired");
	return result;
}
