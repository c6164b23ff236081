// SPDX-License-Identifier: MIT
/*
 * The lock of an inode orders the calls that read and write a file, and is held over the whole
 * call.  What read_file() and write_file() need is under a spin lock of its own: they are the way
 * of pages to and from the disk, which must be open while such a call waits for a page.
 */
#include "fs.h"

#include "console.h"
#include "proc.h"

#define INODE_BLOCK  FIRST_BLOCK
#define BITS_BLOCK   (FIRST_BLOCK + 1)
#define FIRST_DATA   (FIRST_BLOCK + 2)
#define INODE_STRIDE (BLOCK_BYTES / N_INODES)

/* What one operation may write of a file: its inode and the bits of the blocks come with it. */
#define MAX_WRITE_BYTES ((MAX_OP_BLOCKS - 2) * BLOCK_BYTES)

_Static_assert(sizeof(struct dinode) <= INODE_STRIDE, "the inodes fit their block");

struct fs fs;
static uint8_t bits[N_BLOCKS / 8]; /* [fs.lock] */

void ilock(struct inode *ip)
{
	acquire_sleep(&ip->lock);
}

void iunlock(struct inode *ip)
{
	release_sleep(&ip->lock);
}

/* Take a free block; there is one, for it was promised.  fs.lock is held. */
static unsigned take_block(void)
{
	for (unsigned b = FIRST_DATA; b < N_BLOCKS; b++) {
		if (bits[b / 8] & 1u << b % 8)
			continue;
		bits[b / 8] |= (uint8_t)(1u << b % 8);
		fs.free--;
		return b;
	}
	panic("take_block: the disk is full");
}

/* The disk's block for the file's, made if there is none: from the promise to the page. */
static unsigned map_block(struct inode *ip, unsigned i)
{
	unsigned b;

	acquire(&fs.lock);
	b = ip->d.block[i];
	if (b == 0) {
		b = take_block();
		ip->d.block[i] = (uint16_t)b;
		if (ip->promised[i / PAGE_BLOCKS] > 0) {
			ip->promised[i / PAGE_BLOCKS]--;
			fs.promised--;
		}
		log_write(BITS_BLOCK, b / 8, &bits[b / 8], 1);
	}
	release(&fs.lock);
	return b;
}

bool promise_page(struct inode *ip, uint64_t page)
{
	unsigned lacks = 0;
	bool enough;

	if (page >= MAX_FILE_PAGES)
		return false;
	acquire(&fs.lock);
	for (unsigned i = 0; i < PAGE_BLOCKS && ip->promised[page] == 0; i++)
		lacks += ip->d.block[page * PAGE_BLOCKS + i] == 0;
	enough = fs.promised + lacks <= fs.free;
	if (enough) {
		ip->promised[page] += (uint8_t)lacks;
		fs.promised += lacks;
	}
	release(&fs.lock);
	return enough;
}

void break_promise(struct inode *ip, uint64_t page)
{
	acquire(&fs.lock);
	fs.promised -= ip->promised[page];
	ip->promised[page] = 0;
	release(&fs.lock);
}

/* mm does not fill a page while it writes it, so the blocks stay. */
void read_file(struct inode *ip, void *to, uint64_t offset, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += BLOCK_BYTES) {
		unsigned b = ip->d.block[(offset + done) / BLOCK_BYTES];

		if (b != 0)
			log_read(b, (char *)to + done);
		else
			__builtin_memset((char *)to + done, 0, BLOCK_BYTES);
	}
}

/* One operation. */
static void write_some(
	struct inode *ip, const char *from, uint64_t offset, uint64_t bytes, uint64_t size)
{
	uint64_t end = offset + bytes < size ? offset + bytes : size;

	begin_op();
	for (uint64_t done = 0; done < bytes; done += BLOCK_BYTES)
		log_write(map_block(ip, (unsigned)((offset + done) / BLOCK_BYTES)), 0, from + done,
			BLOCK_BYTES);
	acquire(&fs.lock);
	if (end > ip->d.size)
		ip->d.size = (uint32_t)end;
	log_write(INODE_BLOCK, (unsigned)(ip - fs.inodes) * INODE_STRIDE, &ip->d, sizeof ip->d);
	release(&fs.lock);
	end_op();
}

void write_file(struct inode *ip, const void *from, uint64_t offset, uint64_t bytes, uint64_t size)
{
	for (uint64_t done = 0; done < bytes; done += MAX_WRITE_BYTES) {
		uint64_t left = bytes - done;

		write_some(ip, (const char *)from + done, offset + done,
			left < MAX_WRITE_BYTES ? left : MAX_WRITE_BYTES, size);
	}
}

void mkfs(const void *contents, unsigned bytes)
{
	struct dinode *d = &fs.inodes[0].d;

	fs.free = N_BLOCKS - FIRST_DATA;
	d->size = bytes;
	for (unsigned done = 0; done < bytes; done += BLOCK_BYTES) {
		unsigned b = take_block(), n = bytes - done;

		d->block[done / BLOCK_BYTES] = (uint16_t)b;
		__builtin_memcpy(disk_block(b), (const char *)contents + done,
			n < BLOCK_BYTES ? n : BLOCK_BYTES);
	}
	__builtin_memcpy(disk_block(INODE_BLOCK), d, sizeof *d);
	__builtin_memcpy(disk_block(BITS_BLOCK), bits, sizeof bits);
}

static bool differ(const void *a, const void *b, unsigned bytes)
{
	const char *s = a, *t = b;

	while (bytes > 0 && *s == *t)
		bytes--, s++, t++;
	return bytes > 0;
}

void fs_check(void)
{
	unsigned used = 0, free = 0;

	if (differ(disk_block(BITS_BLOCK), bits, sizeof bits))
		panic("fs_check: the bits on the disk are not those in memory");
	for (unsigned i = 0; i < N_INODES; i++) {
		struct dinode *d = &fs.inodes[i].d;

		if (differ(disk_block(INODE_BLOCK) + i * INODE_STRIDE, d, sizeof *d))
			panic("fs_check: an inode on the disk is not that in memory");
		for (unsigned j = 0; j < N_DIRECT; j++)
			used += d->block[j] != 0;
	}
	for (unsigned b = FIRST_DATA; b < N_BLOCKS; b++)
		free += !(bits[b / 8] & 1u << b % 8);
	if (free != fs.free || used + free != N_BLOCKS - FIRST_DATA || fs.promised != 0)
		panic("fs_check: a block is lost, or used twice, or promised for ever");
}
