// SPDX-License-Identifier: MIT
/* The accounts of tmpfs (tmpfs_limits.h), and its options, which are mostly about them. */
#include "tmpfs_limits.h"
#include <fs/host.h>
#include <errno.h>
#include <string.h>

/* Of all mounts together. */
static uint64_t all_pages;     /* [a] */
static uint64_t max_all_pages; /* [a] set by each mount, to the same */

static uint64_t memory_pages(void)
{
	uint64_t all, available;

	fsh_page_counts(&all, &available);
	return all;
}

/* --- Taking and giving ----------------------------------------------------------------------- */

static bool take(uint64_t *taken, uint64_t max)
{
	uint64_t old = fs_read(*taken);

	while (old < max)
		if (__atomic_compare_exchange_n(
			    taken, &old, old + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void give(uint64_t *taken, uint64_t n)
{
	fsh_assert(__atomic_fetch_sub(taken, n, __ATOMIC_RELAXED) >= n);
}

bool tmpfs_take_page(struct tmpfs_limits *limits)
{
	if (!take(&limits->pages, limits->max_pages))
		return false;
	if (take(&all_pages, fs_read(max_all_pages)))
		return true;
	give(&limits->pages, 1);
	return false;
}

void tmpfs_give_page(struct tmpfs_limits *limits)
{
	give(&all_pages, 1);
	give(&limits->pages, 1);
}

bool tmpfs_take_node(struct tmpfs_limits *limits)
{
	return take(&limits->nodes, limits->max_nodes);
}

void tmpfs_give_nodes(struct tmpfs_limits *limits, uint64_t n)
{
	give(&limits->nodes, n);
}

static uint64_t left(uint64_t taken, uint64_t max)
{
	return taken < max ? max - taken : 0;
}

void tmpfs_limits_stat(struct tmpfs_limits *limits, struct fs_stat *out)
{
	if (limits->max_pages != UINT64_MAX) {
		uint64_t of_all = left(fs_read(all_pages), fs_read(max_all_pages));

		out->blocks = limits->max_pages;
		out->free_blocks = left(fs_read(limits->pages), limits->max_pages);
		if (out->free_blocks > of_all)
			out->free_blocks = of_all;
		out->data_blocks = out->free_blocks;
	}
	if (limits->max_nodes != UINT64_MAX) {
		out->inodes = limits->max_nodes;
		out->free_inodes = left(fs_read(limits->nodes), limits->max_nodes);
	}
}

/* --- Options --------------------------------------------------------------------------------- */

/* A number with digits below `base`; *at moves behind it.  -EINVAL: none, or too large. */
static int parse_digits(const char **at, unsigned base, uint64_t *value)
{
	const char *digits = *at;

	*value = 0;
	for (; **at >= '0' && **at < (char)('0' + base); ++*at) {
		if (*value > UINT64_MAX / 10 - 1)
			return -EINVAL;
		*value = *value * base + (uint64_t)(**at - '0');
	}
	return *at == digits ? -EINVAL : 0;
}

/* A number that may end in k, m or g. */
static int parse_number(const char **at, uint64_t *value)
{
	static const char units[] = "kmg";
	int err = parse_digits(at, 10, value);
	const char *unit = err || !**at ? NULL : strchr(units, **at | 0x20);

	if (unit) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);

		err = *value > UINT64_MAX >> shift ? -EINVAL : 0;
		*value <<= shift;
		++*at;
	}
	return err;
}

static int parse_size(const char **at, uint64_t *pages)
{
	uint64_t value;
	int err = parse_number(at, &value);

	if (err || **at != '%') {
		*pages = (value >> MVM_PAGE_SHIFT) + ((value & MVM_PAGE_MASK) != 0);
		return err;
	}
	++*at;
	*pages = memory_pages() * value / 100;
	return value > UINT32_MAX ? -EINVAL : 0;
}

static int parse_mode(const char **at, uint32_t *mode)
{
	uint64_t value;
	int err = parse_digits(at, 8, &value);

	if (!err && value > FS_PERM)
		err = -EINVAL;
	if (!err)
		*mode = (uint32_t)value;
	return err;
}

/* Is `name` here?  Then *at moves behind it. */
static bool parse_name(const char **at, const char *name)
{
	size_t bytes = strlen(name);

	if (strncmp(*at, name, bytes) != 0)
		return false;
	*at += bytes;
	return true;
}

static int parse_option(const char **at, struct tmpfs_limits *limits, uint32_t *mode)
{
	if (parse_name(at, "size="))
		return parse_size(at, &limits->max_pages);
	if (parse_name(at, "nr_inodes="))
		return parse_number(at, &limits->max_nodes);
	return parse_name(at, "mode=") ? parse_mode(at, mode) : -EINVAL;
}

static int parse_options(const char *at, struct tmpfs_limits *limits, uint32_t *mode)
{
	int err = 0;

	while (*at && !err) {
		if (*at == ',') {
			at++;
			continue;
		}
		err = parse_option(&at, limits, mode);
		if (*at && *at != ',')
			err = -EINVAL;
	}
	return err;
}

int tmpfs_limits_init(struct tmpfs_limits *limits, uint32_t *mode, const char *options)
{
	uint64_t half = memory_pages() / 2;
	int err;

	fs_write(max_all_pages, memory_pages() / 4 * 3);
	*limits = (struct tmpfs_limits){.max_pages = half, .max_nodes = half};
	err = options ? parse_options(options, limits, mode) : 0;
	if (!limits->max_pages)
		limits->max_pages = UINT64_MAX;
	if (!limits->max_nodes)
		limits->max_nodes = UINT64_MAX;
	return err;
}
