// SPDX-License-Identifier: MIT
// A whole file as memory: what mapsum, mapwc and mapedit do before anything else.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mapped_file {
	int fd;
	char *bytes; // NULL when the file is empty: a mapping of length 0 does not exist
	size_t size;
};

// Maps PATH: private and read-only, or shared and writable. On failure it has complained,
// returns -1 and nothing is held.
int map_file(struct mapped_file *file, const char *path, bool shared_write);

// Changes the size of a shared mapping and of its file to SIZE, the bytes in common kept.
// Growing, the file comes first: a store past the end of the file would be a SIGBUS.
int map_resize(struct mapped_file *file, const char *path, size_t size);

void unmap_file(struct mapped_file *file);
