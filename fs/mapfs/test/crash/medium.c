// SPDX-License-Identifier: MIT
#include "medium.h"

#include <testdisk.h>

#include <stdlib.h>
#include <string.h>

struct medium_change {
	uint64_t sector, hash;
	uint8_t bytes[BLK_SECTOR_BYTES]; /* both: before it */
};

static const uint8_t *sector_of(const struct medium *medium, uint64_t sector)
{
	return medium->disk->base + sector * BLK_SECTOR_BYTES;
}

void medium_open(struct medium *medium, struct testdisk *disk)
{
	*medium = (struct medium){.disk = disk};
	medium->sector_hash = malloc(disk->dev.n_sectors * sizeof(uint64_t));
	for (uint64_t s = 0; s < disk->dev.n_sectors; s++) {
		medium->sector_hash[s] = units_hash(s, sector_of(medium, s));
		medium->hash += medium->sector_hash[s];
	}
}

void medium_close(struct medium *medium)
{
	free(medium->sector_hash);
	free(medium->changes);
}

static void put_sector(struct medium *medium, uint64_t sector, const uint8_t *bytes, uint64_t hash)
{
	medium->hash += hash - medium->sector_hash[sector];
	medium->sector_hash[sector] = hash;
	testdisk_put(medium->disk, sector, 1, bytes);
}

void medium_put(struct medium *medium, const struct unit *u, uint8_t mask)
{
	for (uint32_t s = 0; s < u->n_sectors; s++) {
		uint64_t sector = u->first_sector + s;
		struct medium_change *c;
		if (!(mask >> s & 1) || medium->sector_hash[sector] == u->hash[s])
			continue;
		if (medium->n_changes == medium->room) {
			medium->room = medium->room ? medium->room * 2 : 256;
			medium->changes =
				realloc(medium->changes, medium->room * sizeof(*medium->changes));
		}
		c = &medium->changes[medium->n_changes++];
		c->sector = sector;
		c->hash = medium->sector_hash[sector];
		memcpy(c->bytes, sector_of(medium, sector), BLK_SECTOR_BYTES);
		put_sector(medium, sector, u->data + (size_t)s * BLK_SECTOR_BYTES, u->hash[s]);
	}
}

size_t medium_mark(const struct medium *medium)
{
	return medium->n_changes;
}

void medium_undo(struct medium *medium, size_t mark)
{
	while (medium->n_changes > mark) {
		struct medium_change *c = &medium->changes[--medium->n_changes];
		put_sector(medium, c->sector, c->bytes, c->hash);
	}
}
