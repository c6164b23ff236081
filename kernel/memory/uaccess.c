// SPDX-License-Identifier: MIT
/*
 * The policy over arch/user.h: what a fault inside a copy does, and the copy functions that file
 * systems call back.
 */
#include <abi/errno.h>
#include <abi/limits.h>
#include <kernel/frames.h>
#include <kernel/lock.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/uaccess.h>
#include <kernel/vmspace.h>

long copy_in_string(char *to, uaddr_t from, size_t size)
{
	user_memory_is_next();
	return copy_string_from_user(to, (const char *)from.addr, size);
}

int user_path_get(struct user_path *path, uaddr_t from)
{
	long len;

	path->text = path->small;
	path->page = NULL;
	len = copy_in_string(path->small, from, sizeof path->small);
	if (len != -ENAMETOOLONG)
		return len < 0 ? (int)len : 0;

	paddr_t pa = frame_alloc(0);
	if (!pa)
		return -ENOMEM;
	path->text = path->page = phys_to_virt(pa);
	len = copy_in_string(path->page, from, PATH_MAX);
	if (len < 0)
		user_path_free(path);
	return len < 0 ? (int)len : 0;
}

void user_path_free_page(struct user_path *path)
{
	frame_free(virt_to_phys(path->page), 0);
	path->page = NULL;
}

/* --- Buffers -------------------------------------------------------------------------------- */

/* The piece that holds byte `done`, and where in it; pieces are visited forward. */
static const struct user_piece *piece_at(struct user_buffer *b, size_t done, size_t *offset)
{
	if (done < b->at_start)
		b->at = 0, b->at_start = 0;
	while (b->at < b->n_pieces && done - b->at_start >= b->pieces[b->at].bytes)
		b->at_start += b->pieces[b->at++].bytes;
	if (b->at == b->n_pieces)
		return NULL;
	*offset = done - b->at_start;
	return &b->pieces[b->at];
}

static size_t copy_piece(struct user_buffer *b, uaddr_t at, void *kernel, size_t n)
{
	if (b->access == MVM_WRITE)
		return n - copy_to_user((void *)at.addr, kernel, n);
	return n - copy_from_user(kernel, (const void *)at.addr, n);
}

static size_t copy_pieces(struct user_buffer *b, void *kernel, size_t done, size_t n)
{
	const struct user_piece *piece;
	size_t moved = 0, offset;

	while (moved < n && (piece = piece_at(b, done + moved, &offset)) != NULL) {
		size_t want = piece->bytes - offset < n - moved ? piece->bytes - offset : n - moved;
		size_t got =
			copy_piece(b, uaddr_add(piece->base, offset), (char *)kernel + moved, want);
		moved += got;
		if (got < want)
			break;
	}
	return moved;
}

static size_t user_buffer_copy(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_buffer *b = (struct user_buffer *)c;
	size_t moved;

	user_memory_is_next();
	thread_faults_off();
	moved = copy_pieces(b, kernel, done, n);
	thread_faults_on();
	return moved;
}

/* At most a few pages ahead: they may be gone again before the copy comes to the others. */
#define PREFAULT_BYTES (16 * PAGE_SIZE)

/* Have n bytes from `at` on present, at least the first.  A long copy ends with its thread. */
static int prefault_some(vaddr_t at, size_t n, unsigned access)
{
	int err;

	if (n > PREFAULT_BYTES)
		n = PREFAULT_BYTES;
	if (!user_range_ok(at, n))
		return -EFAULT;
	if (thread_interrupted(SLEEP_KILLABLE))
		return -EINTR;
	err = vmspace_prefault(process_current()->vm, at, n, access);
	/* What lies behind the first byte may be missing: the copy will come to it. */
	if (err == -EFAULT && n > 1)
		err = vmspace_prefault(process_current()->vm, at, 1, access);
	return err;
}

static int user_buffer_prefault(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_buffer *b = (struct user_buffer *)c;
	size_t offset;
	const struct user_piece *piece = piece_at(b, done, &offset);

	if (!piece)
		return -EFAULT;
	if (n > piece->bytes - offset)
		n = piece->bytes - offset;
	return prefault_some(piece->base.addr + offset, n, b->access);
}

/* Of one range, which user_range_init() has checked, each way. */
size_t user_range_copy_out(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_range *r = (struct user_range *)c;
	size_t left;

	DEBUG_ASSERT(done <= r->bytes && n <= r->bytes - done);
	user_memory_is_next();
	thread_faults_off();
	left = user_copy((void *)(r->base.addr + done), kernel, n);
	thread_faults_on();
	return n - left;
}

size_t user_range_copy_in(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_range *r = (struct user_range *)c;
	size_t left;

	DEBUG_ASSERT(done <= r->bytes && n <= r->bytes - done);
	user_memory_is_next();
	thread_faults_off();
	left = user_copy(kernel, (const void *)(r->base.addr + done), n);
	thread_faults_on();
	return n - left;
}

int user_range_prefault(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_range *r = (struct user_range *)c;

	if (done >= r->bytes)
		return -EFAULT;
	return prefault_some(
		r->base.addr + done, n < r->bytes - done ? n : r->bytes - done, r->access);
}

static const struct mvm_copy user_buffer_ops = {
	.copy = user_buffer_copy,
	.prefault = user_buffer_prefault,
};

void user_buffer_pieces(
	struct user_buffer *b, const struct user_piece *pieces, unsigned n, unsigned access)
{
	b->ops = user_buffer_ops;
	b->pieces = pieces;
	b->n_pieces = n;
	b->access = access;
	b->at = 0;
	b->at_start = 0;
}

static size_t kernel_buffer_copy(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct kernel_buffer *b = (struct kernel_buffer *)c;

	if (b->to_kernel)
		__builtin_memcpy(b->base + done, kernel, n);
	else
		__builtin_memcpy(kernel, b->base + done, n);
	return n;
}

void kernel_buffer_init(struct kernel_buffer *b, void *base, bool to_kernel)
{
	b->ops = (struct mvm_copy){.copy = kernel_buffer_copy};
	b->base = base;
	b->to_kernel = to_kernel;
}
