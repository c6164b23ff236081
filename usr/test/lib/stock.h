// SPDX-License-Identifier: MIT
// What the machine has, counted: before and after something that must leave nothing behind.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct stock;

// Has the kernel give back what it only keeps because it may be wanted again, and counts:
// processes, threads, spaces, areas and objects of memory, frames, disk blocks, and the objects of
// each kernel cache.
struct stock *take_stock(void);

// Is all that was there before there now? Where it is not it counts again for a while, as others
// may still be on their way out. SPARE: how much of each may be gone. WHY says what is.
bool is_well(const struct stock *before, long spare, char *why, size_t bytes);

// Zombies, too.
long count_processes(void);

// The number behind NAME and END in a file of lines; -1 when there is none.
long number_in(const char *file, const char *name, char end);

// A file, or a folder and all that is in it; never through a link.
void remove_all(const char *path);
