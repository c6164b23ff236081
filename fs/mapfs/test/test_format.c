// SPDX-License-Identifier: MIT
/* The format without a file system: checksums, layout, round trips, refusals. */
#include "world.h"

#include <mapfs/crc32c.h>
#include <mapfs/layout.h>
#include <mapfs/siphash.h>

#include <string.h>

static void crc_is_castagnoli(void **state)
{
	uint8_t zeros[32] = {0}, ones[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	/* RFC 3720, B.4, without the final inversion. */
	assert_int_equal(~mapfs_crc32c(~0u, zeros, 32), 0x8a9136aa);
	assert_int_equal(~mapfs_crc32c(~0u, ones, 32), 0x62a8ab43);
	assert_int_equal(~mapfs_crc32c(~0u, "123456789", 9), 0xe3069283);
	for (size_t cut = 0; cut <= 32; cut++)
		assert_int_equal(mapfs_crc32c(mapfs_crc32c(~0u, ones, cut), ones + cut, 32 - cut),
			mapfs_crc32c(~0u, ones, 32));
}

static uint32_t crc_bit_by_bit(uint32_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/*
 * Runs of zeros are gone over in one step where they are aligned: here they
 * begin and end anywhere.
 */
static void crc_of_zeros_among_others(void **state)
{
	static _Alignas(8) uint8_t data[512];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		size_t from = i % 67, n = i * 7 % (sizeof(data) - 67), hole = i * 13 % sizeof(data);

		memset(data, 0xa5 + i, sizeof(data));
		memset(data + hole, 0, (sizeof(data) - hole) * (i % 3) / 2);
		assert_int_equal(
			mapfs_crc32c(~i, data + from, n), crc_bit_by_bit(~i, data + from, n));
	}
}

/* The paper's test vector (appendix A): key 00 01 .. 0f, message 00 01 .. 0e; and an empty one. */
static void siphash_is_siphash(void **state)
{
	uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t message[15];

	(void)state;
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	assert_true(mapfs_siphash(key, message, sizeof(message)) == 0xa129ca6149be45e5);
	assert_true(mapfs_siphash(key, message, 0) == 0x726fdb47dd0e0e31);
}

/* Every block but super, state, log and copy is in exactly one group, or behind the last. */
static void check_layout(uint64_t n_blocks, uint64_t n_inodes)
{
	struct mapfs_super sb = {0};
	uint64_t end;
	unsigned offset;

	assert_int_equal(mapfs_layout(&sb, n_blocks, n_inodes), 0);
	assert_true(sb.log_start == MAPFS_LOG_START);
	assert_true(sb.groups_start == sb.log_start + sb.log_blocks);
	end = sb.groups_start;
	for (uint32_t g = 0; g < sb.n_groups; g++) {
		assert_true(mapfs_group_first(&sb, g) == end);
		assert_true(mapfs_group_length(&sb, g) > mapfs_group_overhead(&sb));
		assert_int_equal(mapfs_block_group(&sb, end), g);
		end += mapfs_group_length(&sb, g);
		assert_int_equal(mapfs_block_group(&sb, end - 1), g);
		assert_true(mapfs_data_run_valid(&sb, end - 1, 1));
		assert_false(mapfs_data_run_valid(&sb, end - 1, 2));
		assert_false(mapfs_data_run_valid(&sb, mapfs_group_first(&sb, g), 1));
	}
	assert_true(end <= n_blocks - 1);
	assert_int_equal(mapfs_block_group(&sb, n_blocks - 1), sb.n_groups);
	assert_int_equal(mapfs_block_group(&sb, sb.groups_start - 1), sb.n_groups);
	for (uint32_t g = 0; g < sb.n_groups; g++) {
		uint32_t ino = g * sb.inodes_per_group + 1;
		assert_true(mapfs_inode_at(&sb, ino, &offset) == mapfs_group_first(&sb, g) + 2);
		assert_int_equal(offset, 0);
		ino += sb.inodes_per_group - 1;
		assert_true(mapfs_inode_at(&sb, ino, &offset) ==
			    mapfs_group_first(&sb, g) + mapfs_group_overhead(&sb) - 1);
		assert_true(mapfs_ino_valid(&sb, ino));
	}
	assert_false(mapfs_ino_valid(&sb, sb.n_groups * sb.inodes_per_group + 1));
	assert_false(mapfs_ino_valid(&sb, 0));
}

static void layouts_hold_together(void **state)
{
	uint64_t seed = world_seed();
	struct mapfs_super sb;

	(void)state;
	for (uint64_t n = 256; n < 3000; n++)
		check_layout(n, 0);
	for (uint64_t n = 2 * MAPFS_GROUP_BLOCKS; n < 2 * MAPFS_GROUP_BLOCKS + 12000; n += 7)
		check_layout(n, 0);
	for (int i = 0; i < 300; i++) {
		uint64_t n = 256 + world_random(&seed) % (1 << 24);
		/* In a quarter of the blocks, and what one bitmap has. */
		uint64_t fit = 4 * n < MAPFS_GROUP_BLOCKS ? 4 * n : MAPFS_GROUP_BLOCKS;

		check_layout(n, world_random(&seed) % fit);
	}
	for (uint64_t n = 0; n < 256; n++)
		assert_int_equal(mapfs_layout(&sb, n, 0), -ENOSPC);
	/* As many inodes as are asked for, or none. */
	for (uint64_t groups = 1; groups < 40; groups++) {
		uint64_t n = (groups + 2) * MAPFS_GROUP_BLOCKS;
		assert_int_equal(mapfs_layout(&sb, n, groups * MAPFS_GROUP_BLOCKS), 0);
		assert_true(
			(uint64_t)sb.n_groups * sb.inodes_per_group >= groups * MAPFS_GROUP_BLOCKS);
		assert_int_equal(mapfs_layout(&sb, n, (groups + 3) * MAPFS_GROUP_BLOCKS), -ENOSPC);
	}
}

/* Devices so large that inodes, then groups, would have no numbers any more: 128 TiB, 1 EiB. */
static void numbers_of_inodes_are_enough(void **state)
{
	struct mapfs_super sb = {0};
	uint64_t used;

	(void)state;
	for (uint64_t n_blocks = (uint64_t)1 << 34; n_blocks <= MAPFS_MAX_BLOCKS; n_blocks *= 2) {
		assert_int_equal(mapfs_layout(&sb, n_blocks, 0), 0);
		assert_in_range((uint64_t)sb.n_groups * sb.inodes_per_group, 1000000, UINT32_MAX);
		used = n_blocks < (uint64_t)1 << 43 ? n_blocks : (uint64_t)1 << 43;
		assert_true(sb.n_groups * (uint64_t)MAPFS_GROUP_BLOCKS >= used / 10 * 9);
	}
	assert_int_equal(mapfs_layout(&sb, MAPFS_MAX_BLOCKS, (uint64_t)1 << 32), -ENOSPC);
}

/*
 * A disk is made anew, and that ends after n writes: until the copy of the super block is there,
 * which is the last but one, it has no file system, and not the old one.
 */
static void what_is_half_made_is_not_mounted(void **state)
{
	struct mapfs_make how = {.n_inodes = 64, .now_ns = 1, .uuid = "made again"};
	struct world w;
	uint8_t *old;
	uint64_t total;

	(void)state;
	world_make(&w, 1 << 20, 64);
	old = testdisk_save(w.disk);
	total = w.disk->dev.counts.writes;
	assert_int_equal(mapfs_make(&w.disk->dev, &how), 0);
	total = w.disk->dev.counts.writes - total;
	for (uint64_t n = 2; n < total - 1; n++) {
		testdisk_load(w.disk, old);
		w.disk->fault[TESTDISK_WRITE] =
			(struct testdisk_fault){.countdown = n + 1, .forever = true};
		assert_int_equal(mapfs_make(&w.disk->dev, &how), -EIO);
		assert_int_not_equal(world_try_mount(&w), 0);
	}
	testdisk_forget(w.disk, old);
	world_free(&w);
}

static void pieces_survive_encoding(void **state)
{
	uint64_t seed = world_seed();
	struct mapfs_extent e;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct mapfs_piece back,
			p = {.logical = (uint32_t)world_random(&seed),
				.count = 1 + world_random(&seed) % MAPFS_EXTENT_MAX,
				.start = world_random(&seed) % MAPFS_MAX_BLOCKS,
				.unwritten = world_random(&seed) % 2};
		mapfs_piece_encode(&p, &e);
		mapfs_piece_decode(&e, &back);
		assert_int_equal(p.logical, back.logical);
		assert_int_equal(p.count, back.count);
		assert_true(p.start == back.start);
		assert_int_equal(p.unwritten, back.unwritten);
	}
}

static void make_super(struct mapfs_super *sb)
{
	memset(sb, 0, sizeof(*sb));
	assert_int_equal(mapfs_layout(sb, 4096, 0), 0);
	memcpy(sb->magic, MAPFS_MAGIC, 8);
	sb->version = MAPFS_VERSION;
	sb->incompat = MAPFS_INCOMPAT_KNOWN;
	sb->crc = mapfs_super_crc(sb);
}

/* A changed super block with a right checksum. */
#define REFUSED(change, because)                                                            \
	do {                                                                                \
		make_super(&sb);                                                            \
		change;                                                                     \
		sb.crc = mapfs_super_crc(&sb);                                              \
		assert_non_null(mapfs_super_fault(&sb, 4096, &read_only));                  \
		assert_non_null(strstr(mapfs_super_fault(&sb, 4096, &read_only), because)); \
	} while (0)

static void super_blocks_are_refused_with_the_reason(void **state)
{
	struct mapfs_super sb;
	bool read_only;

	(void)state;
	make_super(&sb);
	assert_null(mapfs_super_fault(&sb, 4096, &read_only));
	assert_false(read_only);
	assert_non_null(strstr(mapfs_super_fault(&sb, 4095, &read_only), "smaller"));
	REFUSED(sb.magic[0] = 'x', "not a mapfs image");
	REFUSED(sb.version = MAPFS_VERSION + 1, "version");
	REFUSED(sb.incompat |= 1 << 20, "features");
	REFUSED(sb.block_bytes = 1024, "contradict");
	REFUSED(sb.inode_bytes = 128, "contradict");
	REFUSED(sb.inodes_per_group = 17, "contradict");
	REFUSED(sb.inodes_per_group = 0, "contradict");
	REFUSED(sb.n_groups = 0, "contradict");
	REFUSED(sb.log_blocks = MAPFS_LOG_MIN_BLOCKS - 1, "contradict");
	REFUSED(sb.n_groups = 2, "contradict");
	REFUSED(sb.groups_start = 4095, "contradict");
	REFUSED(sb.log_start = 1, "contradict");
	REFUSED(sb.log_blocks = ~(uint64_t)0, "contradict");
	make_super(&sb);
	sb.ro_compat = 1;
	sb.crc = mapfs_super_crc(&sb);
	assert_null(mapfs_super_fault(&sb, 4096, &read_only));
	assert_true(read_only);
}

static void every_flipped_bit_of_the_super_block_is_seen(void **state)
{
	struct mapfs_super sb;
	bool read_only;

	(void)state;
	for (unsigned bit = 0; bit < sizeof(sb) * 8; bit++) {
		make_super(&sb);
		((uint8_t *)&sb)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_non_null(mapfs_super_fault(&sb, 4096, &read_only));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(crc_of_zeros_among_others),
		cmocka_unit_test(siphash_is_siphash),
		cmocka_unit_test(layouts_hold_together),
		cmocka_unit_test(numbers_of_inodes_are_enough),
		cmocka_unit_test(what_is_half_made_is_not_mounted),
		cmocka_unit_test(pieces_survive_encoding),
		cmocka_unit_test(super_blocks_are_refused_with_the_reason),
		cmocka_unit_test(every_flipped_bit_of_the_super_block_is_seen),
	};

	return cmocka_run_group_tests_name("mapfs_format", tests, NULL, NULL);
}
