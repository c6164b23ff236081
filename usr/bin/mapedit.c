// SPDX-License-Identifier: MIT
// mapedit: replace each OLD in a file by NEW through a shared mapping, and say how many there were.
//
// There is no write(2) here: the bytes are changed in memory, and the kernel writes the pages
// that became dirty, and only those. With OLD and NEW of one length only the pages that hold an
// OLD become dirty. Otherwise everything behind the first OLD moves: a longer NEW grows the file,
// moves the text to its new end and works forwards from there; a shorter one packs the text and
// cuts the file at the end.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/mapfile.h"
#include "lib/util.h"

const char prog[] = "mapedit";
const char usage_args[] = "FILE OLD NEW";

// The first OLD in [p, end), or END.
static char *find(char *p, char *end, const char *old, size_t n)
{
	while ((size_t)(end - p) >= n) {
		p = memchr(p, old[0], (size_t)(end - p) - n + 1);
		if (!p)
			return end;
		if (!memcmp(p, old, n))
			return p;
		p++;
	}
	return end;
}

static size_t count(const struct mapped_file *file, const char *old, size_t n)
{
	char *end = file->bytes + file->size;
	size_t found = 0;

	if (!file->bytes)
		return 0;
	for (char *p = find(file->bytes, end, old, n); p < end; p = find(p + n, end, old, n))
		found++;
	return found;
}

// Rewrites the text [from, end) to TO, NEW in place of each OLD; what lies between is moved only
// when it has to be, so that its pages stay clean. Returns the end of the result.
static char *replace(char *to, char *from, char *end, const char *old, const char *new)
{
	size_t old_n = strlen(old), new_n = strlen(new);

	while (from < end) {
		char *hit = find(from, end, old, old_n);
		size_t gap = (size_t)(hit - from);

		if (to != from)
			memmove(to, from, gap);
		to += gap;
		if (hit == end)
			break;
		memcpy(to, new, new_n);
		to += new_n;
		from = hit + old_n;
	}
	return to;
}

static int edit(
	struct mapped_file *file, const char *path, const char *old, const char *new, size_t found)
{
	size_t old_n = strlen(old), new_n = strlen(new), size = file->size, grown;
	char *text = file->bytes;

	if (new_n > old_n) {
		grown = found * (new_n - old_n);
		if (map_resize(file, path, size + grown) != 0)
			return -1;
		text = file->bytes + grown;
		memmove(text, file->bytes, size);
		replace(file->bytes, text, text + size, old, new);
		return 0;
	}
	replace(text, text, text + size, old, new);
	if (new_n < old_n)
		return map_resize(file, path, size - found * (old_n - new_n));
	return 0;
}

int main(int argc, char **argv)
{
	struct mapped_file file;
	size_t found;
	int status;

	if (argc != 4 || argv[2][0] == '\0')
		usage();
	if (map_file(&file, argv[1], true) != 0)
		return 1;
	found = count(&file, argv[2], strlen(argv[2]));
	status = found && edit(&file, argv[1], argv[2], argv[3], found) != 0;
	unmap_file(&file);
	if (status == 0)
		printf("%zu replaced\n", found);
	return finish(status);
}
