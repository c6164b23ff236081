// SPDX-License-Identifier: MIT
/*
 * User memory, as system calls see it.
 *
 * A pointer that user mode passed is a uaddr_t: a number in a struct of its own, so that nothing
 * can dereference it, and the functions here are the only ones that look behind it.  They check
 * the range, take faults as user mode would, and answer -EFAULT; below them is arch/user.h.
 *
 * Two ways to copy:
 *  - copy_in() and copy_out() may sleep in a fault: no spin lock held, and no lock of a file
 *    system (a fault may need it).
 *  - struct user_buffer is the caller's side of a long read or write (mm/pagecache.h): its copy
 *    runs with faults off, under whatever its caller holds, and may be short; its prefault then
 *    brings the memory in with nothing held.
 */
#pragma once

#include <arch/user.h>
#include <errno.h>
#include <kernel/lock.h>
#include <mm/pagecache.h>

typedef struct {
	vaddr_t addr;
} uaddr_t;

static inline uaddr_t uaddr(vaddr_t addr)
{
	return (uaddr_t){addr};
}

static inline bool uaddr_is_null(uaddr_t u)
{
	return u.addr == 0;
}

static inline uaddr_t uaddr_add(uaddr_t u, size_t bytes)
{
	return (uaddr_t){u.addr + bytes};
}

/* Whoever has a transaction must not come here: a page may have to be waited for. */
static inline void user_memory_is_next(void)
{
	assert_mutexes_before(RANK_FS_TXN);
}

/* 0 or -EFAULT, when some of the bytes may have been copied. */
static inline __attribute__((warn_unused_result)) int copy_in(void *to, uaddr_t from, size_t bytes)
{
	user_memory_is_next();
	return copy_from_user(to, (const void *)from.addr, bytes) ? -EFAULT : 0;
}

static inline __attribute__((warn_unused_result)) int copy_out(
	uaddr_t to, const void *from, size_t bytes)
{
	user_memory_is_next();
	return copy_to_user((void *)to.addr, from, bytes) ? -EFAULT : 0;
}

static inline __attribute__((warn_unused_result)) int zero_out(uaddr_t to, size_t bytes)
{
	user_memory_is_next();
	return clear_user((void *)to.addr, bytes) ? -EFAULT : 0;
}

/* The length of the string copied to `to`, -EFAULT, or -ENAMETOOLONG. */
long copy_in_string(char *to, uaddr_t from, size_t size) __attribute__((warn_unused_result));

/* Whole objects, by their type. */
#define get_user(object, from) copy_in((object), (from), sizeof *(object))
#define put_user(to, object)   copy_out((to), (object), sizeof *(object))

/*
 * A path argument.  Short ones live in the caller's frame.  After success user_path_free() is
 * owed.  -EFAULT, -ENAMETOOLONG, -ENOMEM.
 */
struct user_path {
	char *text;
	char *page; /* where text is when it is not short */
	char small[104];
};

int user_path_get(struct user_path *path, uaddr_t from) __attribute__((warn_unused_result));
void user_path_free_page(struct user_path *path);

static inline void user_path_free(struct user_path *path)
{
	if (path->page)
		user_path_free_page(path);
}

/*
 * Memory that a read fills (MVM_WRITE: the kernel writes to it) or a write drains, as file systems
 * see it (`ops`, first).  `access` is what is done to the user's memory.  One range, all of which
 * was found to lie in user space when it was set up:
 */
struct user_range {
	struct mvm_copy ops;
	uaddr_t base;
	size_t bytes;
	unsigned access;
};

size_t user_range_copy_out(struct mvm_copy *c, void *kernel, size_t done, size_t n);
size_t user_range_copy_in(struct mvm_copy *c, void *kernel, size_t done, size_t n);
int user_range_prefault(struct mvm_copy *c, size_t done, size_t n);

/* False: it does not lie in user space, and there is nothing to be used. */
static inline __attribute__((warn_unused_result)) bool user_range_init(
	struct user_range *r, uaddr_t base, size_t bytes, unsigned access)
{
	if (!user_range_ok(base.addr, bytes))
		return false;
	r->ops.copy = access == MVM_WRITE ? user_range_copy_out : user_range_copy_in;
	r->ops.prefault = user_range_prefault;
	r->base = base;
	r->bytes = bytes;
	r->access = access;
	return true;
}

/* In pieces, which stay the caller's. */
struct user_piece {
	uaddr_t base;
	size_t bytes;
};

struct user_buffer {
	struct mvm_copy ops;
	const struct user_piece *pieces;
	unsigned n_pieces;
	unsigned access;
	unsigned at;     /* the piece that was used last, */
	size_t at_start; /* and where it starts in the whole */
};

void user_buffer_pieces(
	struct user_buffer *b, const struct user_piece *pieces, unsigned n, unsigned access);

/* The same interface over kernel memory. */
struct kernel_buffer {
	struct mvm_copy ops;
	char *base;
	bool to_kernel;
};

void kernel_buffer_init(struct kernel_buffer *b, void *base, bool to_kernel);
