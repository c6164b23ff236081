// SPDX-License-Identifier: MIT
/*
 * The strings of a new program, in pages (exec_args.h).
 */
#include "exec_args.h"

#include <abi/errno.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>

int exec_args_init(struct exec_args *args, size_t quarter)
{
	size_t limit = quarter < ARGS_MAX_BYTES ? quarter : ARGS_MAX_BYTES;

	if (limit < ARGS_MIN_BYTES)
		limit = ARGS_MIN_BYTES;
	*args = (struct exec_args){.limit = limit};
	args->pages = kmalloc((limit + PAGE_SIZE - 1) / PAGE_SIZE * sizeof *args->pages);
	return args->pages ? 0 : -ENOMEM;
}

void exec_args_free(struct exec_args *args)
{
	if (!args->pages)
		return;
	for (unsigned i = 0; i < args->n_pages; i++)
		frame_free(virt_to_phys(args->pages[i]), 0);
	kfree(args->pages);
}

/* Room for a byte at args->bytes, and how much more to the end of that page. */
static int room(struct exec_args *args, char **at, size_t *bytes)
{
	size_t page = args->bytes / PAGE_SIZE;

	if (args->bytes >= args->limit)
		return -E2BIG;
	if (page == args->n_pages) {
		paddr_t pa = frame_alloc(0);
		if (!pa)
			return -ENOMEM;
		args->pages[page] = phys_to_virt(pa);
		args->n_pages++;
	}
	*at = args->pages[page] + args->bytes % PAGE_SIZE;
	*bytes = PAGE_SIZE - args->bytes % PAGE_SIZE;
	return 0;
}

int exec_args_add(struct exec_args *args, const char *text)
{
	size_t left = __builtin_strlen(text) + 1, n;
	char *at;

	while (left) {
		int err = room(args, &at, &n);
		if (err)
			return err;
		if (n > left)
			n = left;
		__builtin_memcpy(at, text, n);
		args->bytes += n;
		text += n;
		left -= n;
	}
	return 0;
}

static int add_user(struct exec_args *args, uaddr_t text)
{
	size_t start = args->bytes, n;
	char *at;

	while (args->bytes - start < ARG_MAX_STRING) {
		int err = room(args, &at, &n);
		if (err)
			return err;
		long len = copy_in_string(at, text, n);
		if (len >= 0) {
			args->bytes += (size_t)len + 1;
			return args->bytes - start > ARG_MAX_STRING ? -E2BIG : 0;
		}
		if (len != -ENAMETOOLONG)
			return (int)len;
		/* All n bytes were copied, and there are more. */
		args->bytes += n;
		text = uaddr_add(text, n);
	}
	return -E2BIG;
}

/* The i-th string of a user vector: its address, 0 at the end. */
static int user_string(const struct exec_strings *strings, unsigned i, vaddr_t *out)
{
	*out = 0;
	if (uaddr_is_null(strings->user))
		return 0;
	return get_user(out, uaddr_add(strings->user, i * sizeof(vaddr_t)));
}

/* One string; *end: there was none. */
static int add_nth(
	struct exec_args *args, const struct exec_strings *strings, unsigned i, bool *end)
{
	vaddr_t address;

	if (strings->from_kernel) {
		*end = !strings->kernel[i];
		return *end ? 0 : exec_args_add(args, strings->kernel[i]);
	}
	int err = user_string(strings, i, &address);
	*end = !address;
	if (err || *end)
		return err;
	return add_user(args, uaddr(address));
}

int exec_args_add_all(
	struct exec_args *args, const struct exec_strings *strings, unsigned from, unsigned *count)
{
	bool end = false;
	int err = 0;

	for (unsigned i = from; !err && !end; i++) {
		err = add_nth(args, strings, i, &end);
		if (!err && !end) {
			++*count;
			/* The pointer to it counts, too. */
			args->limit -=
				args->limit < sizeof(vaddr_t) ? args->limit : sizeof(vaddr_t);
		}
	}
	return err;
}

size_t exec_args_string_bytes(const struct exec_args *args, size_t offset)
{
	size_t n = 0;

	while (args->pages[(offset + n) / PAGE_SIZE][(offset + n) % PAGE_SIZE])
		n++;
	return n + 1;
}
