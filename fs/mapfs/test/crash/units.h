// SPDX-License-Identifier: MIT
/*
 * What a power cut decides about: recorded writes, cut into units.
 *
 * A unit is a block of 4 KiB or a part of one: a disk may keep one block of a request and lose the
 * next, but all blocks are the same to it.  Within a block it may also tear: only some sectors
 * arrive.  That is tried where the file system relies on what a torn block looks like, or on its
 * not being torn: `tears`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT_SECTORS 8u

struct testdisk;

struct unit {
	uint64_t first_sector;
	uint32_t n_sectors; /* at most UNIT_SECTORS */
	uint32_t epoch;
	bool tears;
	const uint8_t *data;
	uint64_t hash[UNIT_SECTORS]; /* units_hash() of each sector */
};

struct units {
	size_t n;
	struct unit *unit; /* in the order in which they were written */
	uint8_t *bytes;
};

/* Of what the disk has recorded. */
void units_take(struct units *units, const struct testdisk *disk);
void units_free(struct units *units);

/* The units of one epoch are [*first, result). */
size_t units_of_epoch(const struct units *units, uint32_t epoch, size_t *first);

/* Of a sector's contents and its place: an image's hash is the sum of its sectors'. */
uint64_t units_hash(uint64_t sector, const uint8_t *data);
