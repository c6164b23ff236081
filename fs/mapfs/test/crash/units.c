// SPDX-License-Identifier: MIT
#include "units.h"

#include <mapfs/format.h>
#include <testdisk.h>

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

uint64_t units_hash(uint64_t sector, const uint8_t *data)
{
	uint64_t lane[4] = {sector, 1, 2, 3}, word;

	for (size_t at = 0; at < BLK_SECTOR_BYTES; at += 8) {
		memcpy(&word, data + at, 8);
		lane[at / 8 % 4] = mix(lane[at / 8 % 4], word);
	}
	return mix(mix(mix(mix(sector, lane[0]), lane[1]), lane[2]), lane[3]);
}

/* The super blocks and the state block, and what says what the log holds. */
static bool tears(const struct unit *u, uint64_t n_sectors)
{
	uint64_t block = u->first_sector / MAPFS_BLOCK_SECTORS;
	uint32_t kind;

	memcpy(&kind, u->data, sizeof(kind));
	return block <= MAPFS_STATE_BLOCK || block == n_sectors / MAPFS_BLOCK_SECTORS - 1 ||
	       kind == MAPFS_KIND_LOG_HEAD || kind == MAPFS_KIND_LOG_BLOCKS ||
	       kind == MAPFS_KIND_LOG_COMMIT;
}

static size_t pieces_of(const struct testdisk_write *w)
{
	uint64_t last = w->first_sector + w->n_sectors - 1;

	return (size_t)(last / UNIT_SECTORS - w->first_sector / UNIT_SECTORS + 1);
}

static void add_write(struct units *units, const struct testdisk *disk, size_t i, uint8_t *bytes)
{
	const struct testdisk_write *w = &disk->log[i];

	memcpy(bytes, w->data, (size_t)w->n_sectors * BLK_SECTOR_BYTES);
	for (uint32_t at = 0; at < w->n_sectors;) {
		struct unit *u = &units->unit[units->n++];
		uint64_t sector = w->first_sector + at;
		uint32_t n = UNIT_SECTORS - (uint32_t)(sector % UNIT_SECTORS);
		n = n < w->n_sectors - at ? n : w->n_sectors - at;
		*u = (struct unit){.first_sector = sector,
			.n_sectors = n,
			.epoch = w->epoch,
			.data = bytes + (size_t)at * BLK_SECTOR_BYTES};
		for (uint32_t s = 0; s < n; s++)
			u->hash[s] = units_hash(sector + s, u->data + (size_t)s * BLK_SECTOR_BYTES);
		u->tears = tears(u, disk->dev.n_sectors);
		at += n;
	}
}

void units_take(struct units *units, const struct testdisk *disk)
{
	size_t n_units = 0, n_sectors = 0, at = 0;

	for (size_t i = 0; i < disk->n_log; i++) {
		n_units += pieces_of(&disk->log[i]);
		n_sectors += disk->log[i].n_sectors;
	}
	units->n = 0;
	units->unit = calloc(n_units + 1, sizeof(*units->unit));
	units->bytes = malloc(n_sectors * BLK_SECTOR_BYTES + 1);
	for (size_t i = 0; i < disk->n_log; i++) {
		add_write(units, disk, i, units->bytes + at * BLK_SECTOR_BYTES);
		at += disk->log[i].n_sectors;
	}
}

void units_free(struct units *units)
{
	free(units->unit);
	free(units->bytes);
	*units = (struct units){0};
}

size_t units_of_epoch(const struct units *units, uint32_t epoch, size_t *first)
{
	size_t end;

	for (*first = 0; *first < units->n && units->unit[*first].epoch < epoch;)
		++*first;
	for (end = *first; end < units->n && units->unit[end].epoch == epoch;)
		end++;
	return end;
}
