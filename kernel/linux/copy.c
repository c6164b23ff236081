// SPDX-License-Identifier: MIT
/*
 * sendfile, copy_file_range and preadv2, pwritev2: reading and writing in other words.
 *
 * The two copies go through a piece of kernel memory, by the same reads and writes of the page
 * cache as read() and write() do.  splice, tee and vmsplice do not exist: they promise pages that
 * pass through a pipe without a copy, which pipes here, rings of bytes, cannot keep.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/uio.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/syscall.h>
#include <kernel/transfer.h>

/* --- Copying --------------------------------------------------------------------------------- */

#define CHUNK_BYTES (4 * PAGE_SIZE)

/* A copy from in, a file with positions, to out: to its own position if `to` is AT_POSITION. */
struct file_copy {
	struct file *in, *out;
	int64_t from, to; /* move along */
	size_t left;
	char *chunk;
};

static int write_chunk(struct file_copy *c, size_t n, size_t *written)
{
	struct kernel_buffer b;

	kernel_buffer_init(&b, c->chunk, false);
	if (c->to == AT_POSITION)
		return file_write(c->out, &b.ops, n, written);
	return file_pwrite(c->out, &b.ops, n, (uint64_t)c->to, written);
}

/* *moved: 0 at the end of the file. */
static int copy_chunk(struct file_copy *c, size_t *moved)
{
	size_t want = c->left < CHUNK_BYTES ? c->left : CHUNK_BYTES, n;
	struct kernel_buffer b;
	int err;

	*moved = 0;
	kernel_buffer_init(&b, c->chunk, true);
	err = file_pread(c->in, &b.ops, want, (uint64_t)c->from, &n);
	if (!n)
		return err;
	err = write_chunk(c, n, moved);
	c->from += (int64_t)*moved;
	c->left -= *moved;
	if (c->to != AT_POSITION)
		c->to += (int64_t)*moved;
	return err;
}

/* Ends early where a signal is pending, the file ends, or the other side takes no more. */
static long copy_file(struct file_copy *c)
{
	size_t done = 0, moved;
	int err = 0;

	c->chunk = kmalloc(CHUNK_BYTES);
	if (!c->chunk)
		return -ENOMEM;
	while (!err && c->left && !(done && thread_interrupted(SLEEP_INTERRUPTIBLE))) {
		err = copy_chunk(c, &moved);
		if (!moved)
			break;
		done += moved;
	}
	kfree(c->chunk);
	return transfer_result(done, err);
}

/* Where a copy begins: at *at, or at the file's position if `at` is null. */
static int get_offset(struct file *file, uaddr_t at, int64_t *offset)
{
	uint64_t position;
	int err;

	if (!uaddr_is_null(at))
		return get_user(offset, at);
	err = file_seek(file, 0, SEEK_CUR, &position);
	if (!err)
		*offset = (int64_t)position;
	return err;
}

static int put_offset(struct file *file, uaddr_t at, int64_t offset)
{
	uint64_t position;

	return uaddr_is_null(at) ? file_seek(file, offset, SEEK_SET, &position)
				 : put_user(at, &offset);
}

static long copy_and_tell(struct file_copy *c, uaddr_t from_at)
{
	long result = copy_file(c);

	if (result > 0 && put_offset(c->in, from_at, c->from))
		result = -EFAULT;
	return result;
}

static bool is_open_for(const struct file *file, unsigned state)
{
	return file && file->state & state;
}

/* Drops the references of fd_get(). */
static void drop(struct file *a, struct file *b)
{
	if (a)
		file_unref(a);
	if (b)
		file_unref(b);
}

/* --- sendfile -------------------------------------------------------------------------------- */

static long send(struct file *out, struct file *in, uaddr_t offset_at, size_t n)
{
	struct file_copy c = {
		.in = in,
		.out = out,
		.to = AT_POSITION,
		.left = n < TRANSFER_MAX ? n : TRANSFER_MAX,
	};
	int err;

	if (!is_open_for(in, FILE_READABLE) || !is_open_for(out, FILE_WRITABLE))
		return -EBADF;
	if ((in->vnode && vnode_is(in->vnode, FS_IFDIR)) || (int64_t)n < 0)
		return -EINVAL;
	if (in->state & FILE_STREAM)
		return uaddr_is_null(offset_at) ? -EINVAL : -ESPIPE;
	if (__atomic_load_n(&out->flags, __ATOMIC_RELAXED) & FS_O_APPEND)
		return -EINVAL;
	err = get_offset(in, offset_at, &c.from);
	if (err)
		return err;
	if (c.from < 0 || (in->vnode && vnode_is(in->vnode, FS_IFDIR)))
		return -EINVAL;
	return copy_and_tell(&c, offset_at);
}

long sys_sendfile(long out_fd, long in_fd, uaddr_t offset, size_t n)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	long result = send(out, in, offset, n);

	drop(in, out);
	return result;
}

/* --- copy_file_range ------------------------------------------------------------------------- */

static int check_kinds(const struct file *in, const struct file *out)
{
	if (!is_open_for(in, FILE_READABLE) || !is_open_for(out, FILE_WRITABLE))
		return -EBADF;
	if (out->flags & FS_O_APPEND)
		return -EBADF;
	if (in->vnode && vnode_is(in->vnode, FS_IFDIR))
		return -EISDIR;
	return in->object && out->object ? 0 : -EINVAL;
}

static int check_ranges(const struct file_copy *c)
{
	uint64_t from = (uint64_t)c->from, to = (uint64_t)c->to;

	/* As Linux does, which looks at the sum first and at the sign second. */
	if (from + c->left < from || to + c->left < to)
		return -EOVERFLOW;
	if (c->from < 0 || c->to < 0)
		return -EINVAL;
	if (c->in->object == c->out->object && from < to + c->left && to < from + c->left)
		return -EINVAL;
	return 0;
}

static long copy_range(struct file *in, uaddr_t from_at, struct file *out, uaddr_t to_at, size_t n)
{
	struct file_copy c = {.in = in, .out = out, .left = n};
	int err = check_kinds(in, out);
	long result;

	if (!err)
		err = get_offset(in, from_at, &c.from);
	if (!err)
		err = get_offset(out, to_at, &c.to);
	if (!err)
		err = check_ranges(&c);
	if (err)
		return err;
	if (c.left > TRANSFER_MAX)
		c.left = TRANSFER_MAX;
	result = copy_and_tell(&c, from_at);
	if (result > 0 && put_offset(out, to_at, c.to))
		result = -EFAULT;
	return result;
}

long sys_copy_file_range(
	long in_fd, uaddr_t from, long out_fd, uaddr_t to, size_t n, unsigned long flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	long result = (unsigned)flags ? -EINVAL : copy_range(in, from, out, to, n);

	drop(in, out);
	return result;
}

/* --- preadv2, pwritev2 ----------------------------------------------------------------------- */

/*
 * Of the flags that say how, those to make it durable are honoured.  Nothing can promise here not
 * to wait (RWF_NOWAIT) or to poll the device (RWF_HIPRI); RWF_APPEND and RWF_NOAPPEND are not
 * there.
 */
long sys_preadv2(
	long fd, uaddr_t pieces, long n, int64_t offset, unsigned long unused, unsigned long flags)
{
	(void)unused;
	if ((unsigned)flags & ~(unsigned)(RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	return offset < AT_POSITION ? -EINVAL : transfer_pieces(fd, pieces, n, offset, MVM_WRITE);
}

static int make_durable(long fd, bool data_only)
{
	struct file *file = fd_get(fd);
	int err = -EBADF;

	if (file) {
		err = file->object ? file_sync(file, data_only) : 0;
		file_unref(file);
	}
	return err;
}

long sys_pwritev2(
	long fd, uaddr_t pieces, long n, int64_t offset, unsigned long unused, unsigned long flags)
{
	long result;
	int err = 0;

	(void)unused;
	if ((unsigned)flags & ~(unsigned)(RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	if (offset < AT_POSITION)
		return -EINVAL;
	result = transfer_pieces(fd, pieces, n, offset, MVM_READ);
	if (result > 0 && (unsigned)flags)
		err = make_durable(fd, !((unsigned)flags & RWF_SYNC));
	return err ? err : result;
}
