// SPDX-License-Identifier: MIT
/*
 * What the parts of mapfsview share: an image that is only looked at, and ways to print it.
 *
 *	view.c		opening, reading, names of inodes, who owns a block
 *	print.c		fields, faults, names, times
 *	fixed.c		what has its fixed place: super blocks, state, groups, bitmaps
 *	log.c		the log: its groups, and what recovery would do
 *	inode.c		an inode, its tree of extents
 *	dir.c		the tree of a directory
 *	block.c		any block by its number
 *	layout.c	the disk as runs of blocks of one kind; space and fragmentation
 *	json.c		the same for programs
 *	page.c		the same as a page: page/ with the JSON in it
 *
 * Everything is shown as a mount would find it: a metadata block that is newer in the log is read
 * there, and the text says so.  Two ways of reading are used.  What is printed is read here, node
 * by node, and what is wrong is printed with it and does not end it, as far as something can be
 * told.  Whose blocks are, and which names inodes have, is what fsck finds (lib/fsck.h), which
 * reads all.
 *
 * Each view_NAME() that prints returns nothing: what it finds wrong it prints and counts
 * (view->n_faults).
 */
#pragma once

#include "../lib/fsck.h"

#include <mapfs/dirnode.h>
#include <stdio.h>

union view_block {
	uint8_t bytes[MAPFS_BLOCK_BYTES];
	struct mapfs_header header;
	struct mapfs_super super;
	struct mapfs_state state;
	struct mapfs_log_head head;
	struct mapfs_log_blocks blocks;
	struct mapfs_log_commit commit;
	struct mapfs_bitmap map;
	struct mapfs_extent_node extents;
	struct mapfs_dir_node dir;
	struct mapfs_inode_disk inode[MAPFS_INODES_PER_BLOCK];
};

/* The first entry that leads to an inode. */
struct view_name {
	uint32_t dir;                     /* 0: it has no name */
	const struct mapfs_dirent *entry; /* fsck's */
};

struct view {
	struct blkdev *dev;
	FILE *out;
	uint64_t n_faults; /* printed so far */
	bool quiet;        /* faults are counted only: fsck has said them */
	uint64_t n_device_blocks;
	struct mapfs_super sb; /* the one that is good */
	uint32_t seed;
	const char *super_fault; /* there is no good one; then nothing below counts */
	struct mapfs_recovery log;
	const char *log_fault; /* it cannot be read; then nothing is taken from it */
	struct fsck *fsck;     /* NULL: not asked for yet */
	struct view_name *name;
	char **finding; /* what fsck said */
	size_t n_findings;
};

/* Look at a device; never writes to it.  view_close() after any outcome. */
void view_open(struct view *v, struct blkdev *dev, FILE *out);
void view_close(struct view *v);

/* Read all: v->fsck, v->name and v->finding. */
void view_index(struct view *v);

/* As recovery would have it in place, or as it is there; false and said when it cannot be read. */
bool view_read(struct view *v, uint64_t block, union view_block *to);
bool view_read_in_place(struct view *v, uint64_t block, union view_block *to);
bool view_read_inode(struct view *v, uint32_t ino, struct mapfs_inode_disk *d);

/* "PATH" or "NUMBER"; the program ends with a message when there is none. */
uint32_t view_find(struct view *v, const char *what);

/* Needs the index.  To be freed; "(no name)" and the like where there is none. */
char *view_path(struct view *v, uint32_t ino);

/* Whose a block of the data area is (needs the index). */
enum view_role { VIEW_NOBODY, VIEW_DATA, VIEW_UNWRITTEN, VIEW_DIR, VIEW_EXTENTS, VIEW_SYMLINK };
struct view_owner {
	enum view_role role;
	uint32_t ino;
	uint32_t logical; /* of data, unwritten, symlink */
};
struct view_owner view_owner_of(struct view *v, uint64_t block);
enum view_role view_role_of(const struct fsck_inode *inode); /* of its pieces */

/* Is the bit of a block of the data area, or of an inode, set?  -1: it cannot be told. */
int view_block_used(struct view *v, uint64_t block);
int view_inode_used(struct view *v, uint32_t ino);

/* --- print.c ----------------------------------------------------------------------------- */

#define VIEW_PRINTF(n) __attribute__((format(printf, n, n + 1)))

void view_print(struct view *v, const char *format, ...) VIEW_PRINTF(2);
void view_field(struct view *v, const char *name, const char *format, ...) VIEW_PRINTF(3);

/* A line that says what is wrong, behind the mark "!!". */
void view_fault(struct view *v, const char *format, ...) VIEW_PRINTF(2);

/* A name or a path, with nothing in it that a terminal would take for an order. */
void view_text(struct view *v, const char *text, size_t n);

/* " (/path)" of an inode, if the index is there. */
void view_inode_name(struct view *v, uint32_t ino);

#define VIEW_TIME_BYTES 48
#define VIEW_SIZE_BYTES 32
#define VIEW_MODE_BYTES 12
const char *view_time(int64_t ns, char *text);
const char *view_size(uint64_t bytes, char *text); /* "64 MiB" */
const char *view_mode(uint32_t mode, char *text);  /* "drwxr-xr-x" */
const char *view_type(uint32_t mode);              /* "directory" */
const char *view_kind(uint32_t kind);              /* "directory node" */
void view_hex(struct view *v, const void *data, size_t n);

/* Checksum and header of a block that should be this; false and said when it is not. */
bool view_header(
	struct view *v, const union view_block *b, uint64_t block, uint32_t kind, uint32_t owner);

/* "block N", and where the log has a newer copy of it, if so. */
void view_where(struct view *v, uint64_t block);

/* --- The structures ---------------------------------------------------------------------- */

void view_supers(struct view *v);
void view_super_fields(struct view *v, const struct mapfs_super *sb);
void view_state(struct view *v);
void view_state_fields(struct view *v, const struct mapfs_state *state);
void view_groups(struct view *v);
void view_bitmaps(struct view *v, uint32_t group);
void view_bitmap_runs(struct view *v, const struct mapfs_bitmap *map, bool of_blocks);

void view_log(struct view *v);
void view_log_record(struct view *v, const union view_block *b);

/* One copy of a group of the log. */
struct view_copy {
	uint64_t block; /* where it belongs */
	uint64_t at;    /* where it is */
	uint32_t kind;
	const char *fault;
};

struct view_log_group {
	uint64_t sequence, position;
	uint64_t n_blocks; /* of the ring; 0: not known */
	uint32_t n_copies, n_descriptors;
	int64_t time_ns;
	struct view_copy *copy;
	const char *fault; /* it does not count: a record of it ... */
	uint64_t fault_block;
};

/* The group that begins at `position`; view_log_group_free() after any outcome. */
void view_log_group_read(
	struct view *v, uint64_t position, uint64_t sequence, struct view_log_group *group);
void view_log_group_free(struct view_log_group *group);

/* What the blocks of the ring hold, by offset; to be freed. */
enum view_ring { VIEW_RING_UNUSED, VIEW_RING_OLD, VIEW_RING_RECORD, VIEW_RING_COPY };
uint8_t *view_ring_kinds(struct view *v);

void view_inode(struct view *v, uint32_t ino);
void view_inode_fields(struct view *v, uint32_t ino, const struct mapfs_inode_disk *d);
void view_tree(struct view *v, uint32_t ino);
void view_extents(struct view *v, const struct mapfs_extent *entry, unsigned n, unsigned depth,
	unsigned indent);
void view_dir(struct view *v, uint32_t ino);
void view_dir_records(struct view *v, const struct mapfs_dir_node *node, unsigned indent);

void view_one_block(struct view *v, uint64_t block);
void view_owner(struct view *v, uint64_t block);

/* --- layout.c ---------------------------------------------------------------------------- */

enum view_use {
	VIEW_USE_SUPER,
	VIEW_USE_STATE,
	VIEW_USE_LOG_HEAD,
	VIEW_USE_LOG_LIVE, /* groups that recovery would put in place */
	VIEW_USE_LOG_OLD,  /* groups that are in place */
	VIEW_USE_LOG_FREE, /* never written to */
	VIEW_USE_BITMAP,
	VIEW_USE_INODES,
	VIEW_USE_DIR,
	VIEW_USE_EXTENTS,
	VIEW_USE_SYMLINK,
	VIEW_USE_DATA,
	VIEW_USE_UNWRITTEN,
	VIEW_USE_FREE,
	VIEW_USE_LOST,  /* marked as used, but nobody has it */
	VIEW_USE_CLASH, /* somebody has it, but it is marked as free */
	VIEW_USE_NONE,  /* outside of all groups */
	VIEW_USES,
};
extern const char *const view_use_name[VIEW_USES];

struct view_run {
	uint64_t start, count;
	enum view_use use;
	uint32_t ino;     /* 0: no inode's */
	uint32_t logical; /* of data and unwritten blocks */
};

/* The whole disk, in order, without gaps; needs the index. */
struct view_layout {
	struct view_run *run;
	size_t n;
	uint64_t blocks[VIEW_USES];
};
void view_layout_read(struct view *v, struct view_layout *layout);
void view_layout_free(struct view_layout *layout);

/* In how many parts a file is: neighbours on the disk and in the file are one. */
uint32_t view_parts(const struct fsck_inode *inode);

void view_summary(struct view *v);
void view_free(struct view *v);
void view_files(struct view *v);

/* --- json.c, page.c --------------------------------------------------------------------------- */

void view_page(struct view *v);
void view_json(struct view *v);

/* Of n things: memory, or the program ends. */
void *view_alloc(size_t n, size_t bytes);
