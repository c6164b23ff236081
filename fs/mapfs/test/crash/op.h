// SPDX-License-Identifier: MIT
/*
 * One operation of a workload: its text, and how it is done to a mounted file system.
 *
 *	create P          mkdir P        unlink P      rename P Q     fsync P
 *	write P OFF N     rmdir P        hold P        exchange P Q   fdatasync P
 *	append P N        truncate P N   symlink P N   link P Q       sync
 *	store P OFF N     punch P OFF N  chmod P MODE   move P Q
 *	msync P OFF N     scribble P N   allocate P OFF N      reserve P OFF N   zero P OFF N
 *
 * A store is what a program stores through a shared mapping (mapping.h); a scribble, N bytes that
 * it stores there behind the file's end, in the last page, which must never be seen.  A move is a
 * rename with RENAME_NOREPLACE.  A hold keeps the file open until the workload ends, so that an
 * unlink makes it an orphan.  Allocate, reserve and zero are fallocate(2) as it is, with KEEP_SIZE,
 * and with ZERO_RANGE.  A symlink's target has N bytes.  MODE is decimal.  A path that ends with ~
 * is that of a name of 255 bytes: as many ~ are added.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum op_kind {
	OP_CREATE,
	OP_WRITE,
	OP_APPEND,
	OP_STORE,
	OP_MSYNC,
	OP_SCRIBBLE,
	OP_RENAME,
	OP_MOVE,
	OP_EXCHANGE,
	OP_LINK,
	OP_SYMLINK,
	OP_UNLINK,
	OP_HOLD,
	OP_MKDIR,
	OP_RMDIR,
	OP_TRUNCATE,
	OP_PUNCH,
	OP_ALLOCATE,
	OP_RESERVE,
	OP_ZERO,
	OP_CHMOD,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_SYNC,
	OP_KINDS,
};

#define OP_PATH_BYTES 32
#define OP_TEXT_BYTES 96

struct op {
	enum op_kind kind;
	char path[2][OP_PATH_BYTES];
	uint64_t number[2]; /* offset and length, or one of them alone */
	unsigned meets;     /* the next one is done while this one is at this flush; 0: behind it */
};

/*
 * The next of the operations that ";" separates in *text, which moves behind it.  "&" and "&&"
 * separate operations that meet (meet.h), at the first flush and at the second.  -ENOENT: there is
 * no more; -EINVAL: that is none.
 */
int op_next(const char **text, struct op *op);
void op_print(const struct op *op, char text[OP_TEXT_BYTES]);

/*
 * What operation `index` of a workload writes at byte `offset` of a file: never zero, and different
 * from what other operations write there.
 */
uint8_t op_byte(unsigned index, uint64_t offset);

/* The path as the file system gets it, see above. */
void op_long_path(const char *path, char *full, size_t bytes);

/* The target of a symlink of n bytes. */
void op_target(char *target, size_t n);

/* The time at which operation `index` happens. */
int64_t op_time_ns(unsigned index);

/* Do it, as operation `index`.  0 or -errno. */
struct world;
int op_run(struct world *w, const struct op *op, unsigned index);

/* Close what is held, unmap what is mapped. */
void op_release(void);
