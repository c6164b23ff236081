// SPDX-License-Identifier: MIT
/*
 * F_GETPIPE_SZ and F_SETPIPE_SZ: a pipe's ring is exchanged for a larger or smaller one, and its
 * pages move over.
 */
#include <abi/errno.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/pipe.h>
#include <kernel/pipe_impl.h>
#include <kernel/process.h>

/* Without privilege a pipe has at most 1 MiB, as on Linux. */
#define MAX_SLOTS              (1u << 19)
#define MAX_UNPRIVILEGED_SLOTS 256u

/*
 * Move what is in the ring to a ring of n slots; lock held.  Bytes that lie in the page of older
 * ones get the page at *spare.  -EBUSY: they do not fit.
 */
static int move_pages(struct pipe *p, char **slots, unsigned n, char **spare)
{
	uint64_t first = p->head / PAGE_SIZE, end = (p->tail + PAGE_SIZE - 1) / PAGE_SIZE;

	if (p->head == p->tail)
		end = first;
	if (end > first + n)
		return -EBUSY;
	for (uint64_t i = first; i < end; i++) {
		char **from = &p->page[i % p->n_slots], **to = &slots[i % n];
		if (!*from) {
			__builtin_memcpy(*spare, slots[first % n], p->tail % PAGE_SIZE);
			*to = *spare;
			*spare = NULL;
		} else {
			*to = *from;
			*from = NULL;
		}
	}
	return 0;
}

/* Put the new ring in the place of the old one, of which the array comes back in *slots. */
static void exchange(struct pipe *p, char ***slots, unsigned n)
{
	char **old = p->page;

	for (unsigned i = 0; i < p->n_slots; i++) {
		if (old[i]) {
			frame_free(virt_to_phys(old[i]), 0);
			old[i] = NULL;
		}
	}
	p->page = *slots;
	p->n_slots = n;
	p->n_pages = 0;
	for (unsigned i = 0; i < n; i++)
		p->n_pages += p->page[i] != NULL;
	*slots = old == p->first ? NULL : old;
}

/* What is to be freed comes back in both. */
static int resize(struct pipe *p, char ***slots, unsigned n, char **spare)
{
	int err;

	spin_lock(&p->lock);
	err = move_pages(p, *slots, n, spare);
	if (!err)
		exchange(p, slots, n);
	spin_unlock(&p->lock);
	if (!err)
		waitq_wake_all(&p->writable);
	return err;
}

long pipe_set_bytes(struct file *file, uint64_t bytes)
{
	unsigned n = 1;
	char **slots, *spare;
	paddr_t page;
	int err;

	if (bytes > (uint64_t)MAX_SLOTS * PAGE_SIZE)
		return -EINVAL;
	while (n * PAGE_SIZE < bytes)
		n *= 2;
	if (n > MAX_UNPRIVILEGED_SLOTS && !process_is_privileged(process_current()))
		return -EPERM;
	slots = kcalloc(n, sizeof *slots);
	page = frame_alloc(0);
	err = slots && page ? 0 : -ENOMEM;
	spare = page ? phys_to_virt(page) : NULL;
	if (!err)
		err = resize(file->private_data, &slots, n, &spare);
	if (spare)
		frame_free(virt_to_phys(spare), 0);
	kfree(slots);
	return err ? err : (long)(n * PAGE_SIZE);
}

long pipe_bytes(struct file *file)
{
	struct pipe *p = file->private_data;

	spin_lock(&p->lock);
	long bytes = (long)(p->n_slots * PAGE_SIZE);
	spin_unlock(&p->lock);
	return bytes;
}
