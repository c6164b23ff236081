// SPDX-License-Identifier: MIT
#include "model.h"

void op_file_read(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned first = below(d, FILE_PAGES), n = 1 + below(d, 4);
	static char buffer[FILE_PAGES * MVM_PAGE_BYTES];
	uint64_t offset = (uint64_t)first << MVM_PAGE_SHIFT, want;
	size_t done;

	if (first + n > FILE_PAGES)
		n = FILE_PAGES - first;
	want = f->size <= offset ? 0 : f->size - offset;
	if (want > (uint64_t)n << MVM_PAGE_SHIFT)
		want = (uint64_t)n << MVM_PAGE_SHIFT;
	EXPECT(test_file_read(f->file, offset, buffer, (size_t)n << MVM_PAGE_SHIFT, &done), 0,
		"pc_read");
	EXPECT(done, want, "pc_read's length");
	for (size_t at = 0; at < done; at += CELL_BYTES) {
		uint64_t word;

		memcpy(&word, buffer + at, sizeof word);
		if (word != f->page[(offset + at) >> MVM_PAGE_SHIFT]
				    .word[(at & MVM_PAGE_MASK) / CELL_BYTES])
			FAIL("pc_read of page %u: the bytes at %zu differ", first, at);
	}
	progress->accepted++;
}

void op_file_write(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned cell = below(d, FILE_PAGES * CELLS), n = 1 + below(d, 3 * CELLS);
	static char buffer[FILE_PAGES * MVM_PAGE_BYTES];
	uint64_t offset = (uint64_t)cell * CELL_BYTES;
	size_t done, bytes;

	if (cell + n > FILE_PAGES * CELLS)
		n = FILE_PAGES * CELLS - cell;
	bytes = (size_t)n * CELL_BYTES;
	memset(buffer, 0x11, bytes);
	for (unsigned i = 0; i < n; i++) {
		uint64_t word = draw(d);

		memcpy(buffer + (size_t)i * CELL_BYTES, &word, sizeof word);
		f->page[(cell + i) / CELLS].word[(cell + i) % CELLS] = word;
		f->stored[(cell + i) / CELLS] = true;
	}
	SAY("  write file %d at %lu, %zu bytes\n", (int)(f - world.file), (long)offset, bytes);
	EXPECT(test_file_write(f->file, offset, buffer, bytes, &done), 0, "pc_write");
	EXPECT(done, bytes, "pc_write's length");
	if (offset + bytes > f->size)
		f->size = offset + bytes;
	EXPECT(mvm_object_size(f->file->object), f->size, "the size after pc_write");
	progress->accepted++;
}

static void zero_cells(struct model_file *f, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end && at < FILE_PAGES * MVM_PAGE_BYTES; at += CELL_BYTES) {
		f->page[at >> MVM_PAGE_SHIFT].word[(at & MVM_PAGE_MASK) / CELL_BYTES] = 0;
		f->stored[at >> MVM_PAGE_SHIFT] |= at < f->size;
	}
}

void op_truncate(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	uint64_t size = (uint64_t)below(d, FILE_PAGES * CELLS + 1) * CELL_BYTES;

	SAY("  truncate file %d: %lu -> %lu\n", (int)(f - world.file), (long)f->size, (long)size);
	EXPECT(mvm_pc_truncate(f->file->object, size), 0, "pc_truncate");
	if (size < f->size) {
		zero_cells(f, size, f->size);
		test_file_free_blocks(f->file, size);
		for (unsigned s = 0; s < SPACES; s++) {
			for (unsigned i = 0; i < PAGES; i++) {
				struct model_page *p = &world.space[s].page[i];

				if (p->kind == FILE_PRIVATE && &world.file[p->file] == f &&
					(uint64_t)p->index << MVM_PAGE_SHIFT >= size)
					p->copied = p->forked = false;
			}
		}
	}
	f->size = size;
	progress->accepted++;
}

static struct model_file *punched;

static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	(void)obj;
	for (mvm_pgoff_t i = first; i <= last && i < FILE_PAGES; i++)
		memset(punched->file->disk + (i << MVM_PAGE_SHIFT), 0, MVM_PAGE_BYTES);
	return 0;
}

void op_punch(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	uint64_t start = (uint64_t)below(d, FILE_PAGES * CELLS) * CELL_BYTES;
	uint64_t end = start + (1 + below(d, 4 * CELLS)) * CELL_BYTES;

	if (start >= f->size)
		return;
	if (end > f->size)
		end = f->size;
	SAY("  punch file %d: %lu to %lu\n", (int)(f - world.file), (long)start, (long)end);
	punched = f;
	EXPECT(mvm_pc_punch(f->file->object, start, end, free_blocks), 0, "pc_punch");
	zero_cells(f, start, end);
	progress->accepted++;
}

void op_flush(struct draw *d)
{
	struct model_file *f = &world.file[below(d, FILES)];
	unsigned first = below(d, FILE_PAGES), last = first + below(d, FILE_PAGES);

	EXPECT(mvm_pc_flush(f->file->object, first, last, MVM_PC_WAIT), 0, "pc_flush");
	compare_disk(f, first, last);
	for (unsigned i = first; i <= last && i < FILE_PAGES; i++)
		f->stored[i] = false;
	progress->accepted++;
}

void op_writeback(struct draw *d)
{
	bool wait = below(d, 2);

	EXPECT(mvm_writeback(0, wait), 0, "writeback");
	progress->accepted++;
	for (unsigned i = 0; i < FILES && wait; i++) {
		compare_disk(&world.file[i], 0, FILE_PAGES - 1);
		memset(world.file[i].stored, 0, sizeof world.file[i].stored);
	}
}
