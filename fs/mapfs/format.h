// SPDX-License-Identifier: MIT
/*
 * mapfs on the disk, version 2.
 *
 * Everything is little endian, and a block is 4096 bytes.  Block numbers have 48 bits, inode
 * numbers 32, block numbers inside a file 32 (files of up to 2^44 - 4096 bytes).  Times are signed
 * nanoseconds since 1970.
 *
 *	block 0     super block: written by mkfs, changed only by feature upgrades
 *	block 1     state: what changes while mounted (clean or not, list of orphans)
 *	log_start   the log, log_blocks long: two heads, then a ring of groups of changed blocks
 *	groups_start
 *	            groups, each of 32,256 blocks (126 MiB), the last one maybe shorter:
 *	                +0    bitmap of the group's blocks
 *	                +1    bitmap of the group's inodes
 *	                +2    inode table, 16 inodes a block
 *	                then  data, directories, ...
 *	last block  copy of the super block
 *
 * The place of everything but data follows from the super block alone, so there is no table of
 * groups that could be lost, and fsck finds every inode of a disk whose bitmaps are gone.
 *
 * Every metadata block except those of the inode tables begins with struct mapfs_header, which
 * says what it is, where it belongs and who owns it; a block that a wrong pointer or a lost
 * write brought up is recognized.  Inodes carry their own checksums.  All checksums are CRC-32C,
 * seeded with the CRC-32C of the file system's UUID, so that blocks that an earlier file system
 * left on the disk are never taken for ours.
 */
#pragma once

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mapfs reads and writes its structures in place: it wants a little-endian host"
#endif

#define MAPFS_BLOCK_SHIFT   12
#define MAPFS_BLOCK_BYTES   4096u
#define MAPFS_BLOCK_SECTORS 8u
#define MAPFS_MAX_BLOCKS    ((uint64_t)1 << 48)
#define MAPFS_FILE_BLOCKS   0xffffffffull /* the number behind the last one has 32 bits, too */
#define MAPFS_MAX_FILE      (MAPFS_FILE_BLOCKS << MAPFS_BLOCK_SHIFT) /* bytes */
#define MAPFS_MAX_INODES    0xffffffffull /* in an image: a number has 32 bits, 0 is none */
#define MAPFS_VERSION       2
#define MAPFS_NAME_MAX      255

#define MAPFS_SUPER_BLOCK 0u
#define MAPFS_STATE_BLOCK 1u
#define MAPFS_LOG_START   2u

#define MAPFS_ROOT_INO 1u /* inode 0 is "none" */

/* The first word of metadata blocks says what they are. */
#define MAPFS_FOURCC(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

enum mapfs_kind {
	MAPFS_KIND_STATE = MAPFS_FOURCC('m', 'S', 'T', 'A'),
	MAPFS_KIND_BLOCK_MAP = MAPFS_FOURCC('m', 'B', 'M', 'P'),
	MAPFS_KIND_INODE_MAP = MAPFS_FOURCC('m', 'I', 'M', 'P'),
	MAPFS_KIND_DIR = MAPFS_FOURCC('m', 'D', 'I', 'R'),     /* node of a directory's tree */
	MAPFS_KIND_EXTENTS = MAPFS_FOURCC('m', 'E', 'X', 'T'), /* node of a tree of extents */
	MAPFS_KIND_SYMLINK = MAPFS_FOURCC('m', 'L', 'N', 'K'), /* target of a long symlink */
	MAPFS_KIND_LOG_HEAD = MAPFS_FOURCC('m', 'L', 'O', 'G'),
	MAPFS_KIND_LOG_BLOCKS = MAPFS_FOURCC('m', 'L', 'D', 'S'), /* descriptor of a logged group */
	MAPFS_KIND_LOG_COMMIT = MAPFS_FOURCC('m', 'L', 'C', 'O'), /* the group is whole */
	MAPFS_KIND_INODES = 0, /* block of an inode table: no header, a checksum an inode */
};

struct mapfs_header {
	uint32_t kind;     /* enum mapfs_kind */
	uint32_t crc;      /* of the whole block, taken with this field zero */
	uint64_t block;    /* where this block belongs */
	uint32_t owner;    /* inode or group number; 0 for the state block */
	uint32_t reserved; /* zero */
	uint64_t sequence; /* of the last transaction that changed it */
};

/*
 * The super block; 512 bytes at the start of its block, so that no sector tears it; the rest of
 * the block is zero.  The copy is equal to it, byte for byte.
 */
struct mapfs_super {
	uint8_t magic[8];   /* MAPFS_MAGIC */
	uint32_t crc;       /* of these 512 bytes, taken with this field zero; seed ~0 */
	uint32_t version;   /* MAPFS_VERSION; others are refused */
	uint64_t incompat;  /* an unknown bit: do not mount */
	uint64_t ro_compat; /* an unknown bit: mount only for reading */
	uint64_t compat;    /* unknown bits do not matter */
	uint8_t uuid[16];
	uint8_t label[32]; /* UTF-8, zero padded */
	uint64_t n_blocks; /* of the whole file system; the copy is in the last one */
	uint64_t log_start;
	uint64_t log_blocks;
	uint64_t groups_start;
	uint32_t n_groups;
	uint32_t group_blocks;     /* MAPFS_GROUP_BLOCKS */
	uint32_t inodes_per_group; /* a multiple of 16, at most MAPFS_GROUP_BLOCKS */
	uint32_t block_bytes;      /* MAPFS_BLOCK_BYTES */
	uint32_t inode_bytes;      /* MAPFS_INODE_BYTES */
	uint32_t root_ino;         /* MAPFS_ROOT_INO */
	uint64_t hash_key[2];      /* of the names in directories */
	int64_t made_ns;           /* when mkfs made it */
	uint8_t reserved[344];     /* zero */
};

#define MAPFS_MAGIC "mapfs\r\n\x1a"

/* Feature bits: there are none yet. */
#define MAPFS_INCOMPAT_KNOWN  ((uint64_t)0)
#define MAPFS_RO_COMPAT_KNOWN ((uint64_t)0)

/*
 * Block 1.  A file system is clean when everything in memory reached its place before it was let
 * go: the log is empty and the counts below are right.  The first transaction of a mount clears
 * the flag.  One that is not clean is recovered by the next mount, from the log; nothing else is
 * needed.
 *
 * Orphans are inodes whose end was begun: without a name but still open, or with blocks behind
 * their size still to be freed.  A list through the inodes' own orphan_next, so that mount (or
 * fsck) can finish.
 */
struct mapfs_state {
	struct mapfs_header header;
	uint32_t clean;       /* 1 or 0 */
	uint32_t orphan_head; /* inode, 0: none */
	uint64_t free_blocks; /* right when clean */
	uint64_t free_inodes;
	uint64_t mounts;    /* that changed something */
	int64_t mounted_ns; /* the last one of these */
	uint8_t reserved[4024];
};

/*
 * The log: log_blocks from log_start on.  Its first two blocks are heads, the rest is a ring; ring
 * offset r is block log_start + 2 + r, and after the last comes the first.
 *
 *	heads     each says where the oldest group is that is still needed; written in turns, so
 *	          that one is whole whatever happens.  The one with the higher sequence counts.
 *	ring      groups, one behind another, of rising sequence without a gap:
 *
 *	    | blocks | blocks ... | copy | copy | copy ... | commit |
 *
 * A group is one atomic change: descriptors (kind LOG_BLOCKS) that say where the copies belong,
 * the copies of whole metadata blocks in the order of the descriptors' entries, one commit block.
 * It counts when all of it is there: every descriptor and the commit block has its checksum, its
 * place and the group's sequence, and every copy has the checksum that its entry says.  The log
 * ends before the first group that does not count.  So one write and one flush commit a group, in
 * whatever order its blocks arrive.  No sequence is given to two groups: each mount leaves out as
 * many as the ring has blocks, which groups may have that a crash tore or that damage has cut off,
 * and says so with a head.
 *
 * Recovery: from the head's group on, each copy goes where it belongs, later ones over earlier
 * ones; then a head says that the log is empty.
 */
#define MAPFS_LOG_HEADS      2u
#define MAPFS_LOG_MIN_BLOCKS 64u

struct mapfs_log_head {
	struct mapfs_header header; /* owner: which head, 0 or 1; sequence: of the oldest group */
	uint64_t offset;            /* of that group in the ring */
	uint8_t reserved[4056];
};

struct mapfs_log_entry {
	uint64_t block; /* where the copy belongs */
	uint32_t crc;   /* that of its header, or, if it has none, of all 4096 bytes, seeded */
	uint32_t kind;  /* of the copy: MAPFS_KIND_INODES have no header */
};

#define MAPFS_LOG_ENTRIES 253u

struct mapfs_log_blocks {
	struct mapfs_header header; /* owner: index among the group's descriptors */
	uint32_t n_copies;          /* of the whole group; each descriptor but the last is full */
	uint32_t reserved[3];
	struct mapfs_log_entry entry[MAPFS_LOG_ENTRIES];
};

struct mapfs_log_commit {
	struct mapfs_header header; /* owner: how many descriptors */
	uint32_t n_copies;
	uint32_t reserved0;
	int64_t time_ns;
	uint8_t reserved[4048];
};

/* A bitmap block; bit i is the group's i-th block or inode; bits past the end are set. */
#define MAPFS_GROUP_BLOCKS 32256u

struct mapfs_bitmap {
	struct mapfs_header header; /* owner: the group */
	uint32_t n_free;            /* bits that are clear */
	uint8_t reserved[28];
	uint8_t bits[MAPFS_GROUP_BLOCKS / 8];
};

/*
 * A piece of a file: `count` blocks from file block `logical` on, at disk block `start`.  An
 * unwritten piece belongs to the file and reads as zeros; it may lie behind the file's end.  In
 * order of `logical`, disjoint; neighbours that could be one may be two.
 *
 * Each extent has a weight: 1, an unwritten one as much as it has blocks.  What extents of one node
 * (or root) weigh together is no more than its room, so that every block of them may become an
 * extent of its own.
 */
struct mapfs_extent {
	uint32_t logical;
	uint16_t count; /* low 15 bits, not 0; the top bit says unwritten */
	uint16_t start_high;
	uint32_t start_low;
} __attribute__((packed, aligned(4)));

#define MAPFS_EXTENT_UNWRITTEN 0x8000u
#define MAPFS_EXTENT_MAX       0x7fffu /* blocks */
#define MAPFS_UNWRITTEN_MAX    64u     /* blocks of an unwritten extent */

/*
 * The extents of a file are the leaves of a B+-tree whose root is in the inode.  In an index (a
 * node, or the root, of depth above 0) an entry has count 0, leads to the node `start`, and says
 * that nothing below it begins before `logical`.  A node has depth one less than what leads to
 * it, and at least one entry.
 */
#define MAPFS_NODE_EXTENTS 338u
#define MAPFS_MAX_DEPTH    3u

struct mapfs_extent_node {
	struct mapfs_header header; /* owner: the inode */
	uint16_t n;                 /* entries in use */
	uint16_t depth;             /* 0: extents */
	uint8_t reserved[4];
	struct mapfs_extent entry[MAPFS_NODE_EXTENTS];
};

#define MAPFS_INODE_BYTES      256u
#define MAPFS_INODES_PER_BLOCK (MAPFS_BLOCK_BYTES / MAPFS_INODE_BYTES)
#define MAPFS_INLINE_BYTES     168u
#define MAPFS_ROOT_EXTENTS     14u

struct mapfs_inode_disk {
	uint32_t crc;   /* of the 256 bytes with this field zero, seeded with the number too */
	uint16_t mode;  /* S_IF* and permissions, as stat(2) has them; 0: never used */
	uint8_t n_root; /* entries in the root of its tree of extents */
	uint8_t depth;  /* of the root; 0: the entries are extents */
	uint32_t uid, gid;
	uint32_t nlink;
	uint32_t flags; /* MAPFS_INODE_* */
	uint64_t size;
	uint64_t n_blocks; /* that belong to it, of all kinds */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	uint32_t generation; /* differs between the lives of an inode number */
	uint32_t rdev;
	uint32_t parent; /* a directory's "..", else 0 */
	uint32_t orphan_next;
	union {
		struct mapfs_extent root[MAPFS_ROOT_EXTENTS];
		char target[MAPFS_INLINE_BYTES]; /* MAPFS_INODE_INLINE_DATA: a short symlink */
	};
};

#define MAPFS_INODE_INLINE_DATA 1u /* the target is in the inode, there are no extents */
#define MAPFS_INODE_ORPHAN      2u /* on the list of orphans */

/* What a symlink's target may have: in a block of its own after the header, without a NUL. */
#define MAPFS_SYMLINK_MAX (MAPFS_BLOCK_BYTES - (unsigned)sizeof(struct mapfs_header))

/*
 * A directory is a B+-tree of names.  Its nodes are filled with records from the front, one behind
 * another, without a gap; what is behind them is zero.
 *
 *	key     62 .. 15  the name's hash: the upper 48 bits of its SipHash-2-4 with the super
 *	                  block's key, of which 0 becomes 1 and the greatest one less
 *	        14 .. 0   a number that no other name with this hash has
 *
 * Keys rise from record to record.  They are the cookies of readdir(3), so an entry keeps its own.
 * A record of a leaf (depth 0) is an entry.  One of an index leads to a node of one depth less, to
 * which all keys from its own up to that of the next record belong; to the first one's, whatever
 * its key, all from the least that belong to the index itself.  Only the root may be empty, and
 * then it is a leaf.
 *
 * The inode has the root as an extent of one block, and no other; a directory that never had an
 * entry has none.  Its size is that of all nodes.  "." and ".." are not stored.
 */
#define MAPFS_DIR_NUMBER_BITS 15
#define MAPFS_DIR_NUMBER_MAX  0x7fffu
#define MAPFS_DIR_HASH_MAX    (((uint64_t)1 << 48) - 1)
#define MAPFS_DIR_KEY_END     ((uint64_t)1 << 63) /* above all keys */
#define MAPFS_DIR_MAX_DEPTH   4u
#define MAPFS_DIR_NODE_BYTES  4056u

struct mapfs_dir_node {
	struct mapfs_header header; /* owner: the directory's inode */
	uint16_t depth;             /* 0: a leaf */
	uint16_t bytes;             /* of records */
	uint8_t reserved[4];
	uint8_t records[MAPFS_DIR_NODE_BYTES];
};

struct mapfs_dir_child {
	uint64_t key;
	uint64_t block;
};

struct mapfs_dirent {
	uint64_t key;
	uint32_t ino;
	uint8_t name_len;
	uint8_t type; /* DT_* as readdir(3) has it */
	char name[];  /* not terminated; zeros up to a multiple of 8 */
};

#define MAPFS_DIRENT_BYTES(name_len) (((unsigned)(name_len) + 14 + 7) & ~7u)

_Static_assert(sizeof(struct mapfs_header) == 32, "header");
_Static_assert(sizeof(struct mapfs_super) == 512, "super block");
_Static_assert(sizeof(struct mapfs_state) == MAPFS_BLOCK_BYTES, "state block");
_Static_assert(sizeof(struct mapfs_log_head) == MAPFS_BLOCK_BYTES, "head of the log");
_Static_assert(sizeof(struct mapfs_log_blocks) == MAPFS_BLOCK_BYTES, "descriptor in the log");
_Static_assert(sizeof(struct mapfs_log_commit) == MAPFS_BLOCK_BYTES, "commit block");
_Static_assert(sizeof(struct mapfs_bitmap) == MAPFS_BLOCK_BYTES, "bitmap block");
_Static_assert(sizeof(struct mapfs_extent) == 12, "extent");
_Static_assert(sizeof(struct mapfs_extent_node) == MAPFS_BLOCK_BYTES, "extent node");
_Static_assert(sizeof(struct mapfs_inode_disk) == MAPFS_INODE_BYTES, "inode");
_Static_assert(sizeof(struct mapfs_dir_node) == MAPFS_BLOCK_BYTES, "directory node");
_Static_assert(__builtin_offsetof(struct mapfs_dirent, name) == 14, "directory entry");
