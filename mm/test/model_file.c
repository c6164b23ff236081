// SPDX-License-Identifier: MIT
#include "model.h"

/* A file, or now and then the shared memory. */
static struct model_file *some_file(struct draw *d)
{
	return &world.file[below(d, FILES + 1)];
}

/* Word and cell of a file by the number of the cell in it. */
static uint64_t *cell_at(struct model_file *f, unsigned cell)
{
	return &f->page[cell / CELLS].word[cell % CELLS];
}

/* How many cells from `cell` on lie in the file, at most n. */
static unsigned cells_inside(const struct model_file *f, unsigned cell, unsigned n)
{
	uint64_t end = f->size / CELL_BYTES + (f->size % CELL_BYTES >= sizeof(uint64_t));

	if (cell >= end)
		return 0;
	return n < end - cell ? n : (unsigned)(end - cell);
}

/* What was behind the old size is zero now. */
static void set_size(struct model_file *f, uint64_t size)
{
	f->size = size;
	for (unsigned i = 0; i < FILE_PAGES; i++)
		f->page[i].litter = 0;
}

/* --- read(2) and write(2), with a buffer of the kernel ---------------------------------------- */

struct kernel_copy {
	struct mvm_copy copy;
	char bytes[FILE_PAGES * MVM_PAGE_BYTES];
};

static size_t copy_out(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	memcpy(((struct kernel_copy *)c)->bytes + done, kernel, n);
	return n;
}

static size_t copy_in(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	memcpy(kernel, ((struct kernel_copy *)c)->bytes + done, n);
	return n;
}

void op_file_read(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned first = below(d, FILE_PAGES), n = 1 + below(d, 4);
	static struct kernel_copy c = {.copy = {.copy = copy_out}};
	uint64_t offset = bytes_of(first), want, word;
	size_t done;

	if (first + n > FILE_PAGES)
		n = FILE_PAGES - first;
	note_file(f, first, first + n - 1);
	want = f->size <= offset ? 0 : f->size - offset;
	want = want > bytes_of(n) ? bytes_of(n) : want;
	EXPECT(mvm_pc_read(f->object, offset, bytes_of(n), &c.copy, &done), 0, "pc_read");
	EXPECT(done, want, "pc_read's length");
	for (unsigned i = 0; i < cells_inside(f, first * CELLS, n * CELLS); i++) {
		memcpy(&word, c.bytes + i * CELL_BYTES, sizeof word);
		if (word != *cell_at(f, first * CELLS + i))
			FAIL("pc_read of page %u: cell %u differs", first, i);
	}
	progress->accepted++;
}

static void stored(struct model_file *f, unsigned cell, unsigned n)
{
	for (unsigned i = cell; i < cell + n; i++)
		f->stored[i / CELLS] = true;
}

void op_file_write(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned cell = below(d, FILE_PAGES * CELLS), n = 1 + below(d, 3 * CELLS);
	static struct kernel_copy c = {.copy = {.copy = copy_in}};
	uint64_t offset = (uint64_t)cell * CELL_BYTES;
	size_t done, bytes;

	if (cell + n > FILE_PAGES * CELLS)
		n = FILE_PAGES * CELLS - cell;
	bytes = (size_t)n * CELL_BYTES;
	memset(c.bytes, 0x11, bytes);
	for (unsigned i = 0; i < n; i++) {
		*cell_at(f, cell + i) = draw(d);
		memcpy(c.bytes + (size_t)i * CELL_BYTES, cell_at(f, cell + i), sizeof(uint64_t));
	}
	note_file(f, cell / CELLS, (cell + n - 1) / CELLS);
	stored(f, cell, n);
	SAY("  write file %d at %lu, %zu bytes\n", (int)(f - world.file), (long)offset, bytes);
	EXPECT(mvm_pc_write(f->object, offset, bytes, &c.copy, &done), 0, "pc_write");
	EXPECT(done, bytes, "pc_write's length");
	if (offset + bytes > f->size)
		set_size(f, offset + bytes);
	EXPECT(mvm_object_size(f->object), f->size, "the size after pc_write");
	progress->accepted++;
}

/* --- ... and with the memory of a space ------------------------------------------------------- */

struct user_copy {
	struct mvm_copy copy;
	struct mvm_space *space;
	mvm_vaddr_t va;
};

static size_t to_user(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_copy *u = (struct user_copy *)c;

	return posix_try_store(u->space, u->va + done, kernel, n);
}

static size_t from_user(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct user_copy *u = (struct user_copy *)c;

	return posix_try_load(u->space, u->va + done, kernel, n);
}

static int prefault_to(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_copy *u = (struct user_copy *)c;

	return mvm_prefault(u->space, u->va + done, n ? 1 : 0, MVM_WRITE);
}

static int prefault_from(struct mvm_copy *c, size_t done, size_t n)
{
	struct user_copy *u = (struct user_copy *)c;

	return mvm_prefault(u->space, u->va + done, n ? 1 : 0, MVM_READ);
}

/* n cells of a file and of a space's memory, in at most two pages of that. */
struct transfer {
	struct model_file *f;
	unsigned at; /* cell in the file */
	struct model_space *s;
	unsigned page, cell, n;
	struct user_copy u;
};

static unsigned user_page(const struct transfer *t, unsigned i)
{
	return t->page + (t->cell + i) / CELLS;
}

static unsigned user_cell(const struct transfer *t, unsigned i)
{
	return (t->cell + i) % CELLS;
}

/*
 * Does the memory show the file itself?  Then what it shows may change on the way, except where
 * each cell is copied onto itself.
 */
static bool bites_its_tail(const struct transfer *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct model_page *p = &t->s->page[user_page(t, i)];
		unsigned cell = p->index * CELLS + user_cell(t, i);

		if (p->kind < PRIVATE || p->copied || &world.file[p->file] != t->f)
			continue;
		if (cell != t->at + i || cell >= cells_inside(t->f, 0, FILE_PAGES * CELLS))
			return true;
	}
	return false;
}

static bool some_transfer(struct draw *d, struct transfer *t)
{
	struct model_page *p;

	t->f = some_file(d);
	t->s = some_space(d);
	t->page = some_page(d, t->s);
	t->cell = below(d, CELLS);
	t->n = 1 + below(d, 2 * CELLS - t->cell);
	if (t->page == MAIN_PAGES - 1 || t->page == PAGES - 1)
		return false;
	t->at = below(d, FILE_PAGES * CELLS - t->n);
	p = &t->s->page[t->page];
	if (p->kind >= PRIVATE && !below(d, 3)) { /* a page of the same file, onto itself */
		t->f = &world.file[p->file];
		t->at = p->index * CELLS + t->cell;
	}
	if (t->f == &world.file[DEVICE] || t->at + t->n > FILE_PAGES * CELLS || bites_its_tail(t))
		return false;
	t->u = (struct user_copy){
		.space = t->s->space, .va = address(t->page) + t->cell * CELL_BYTES};
	return true;
}

/* The first cell that the memory does not have for the access; t->n: all are there. */
static unsigned reachable(const struct transfer *t, unsigned access)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct model_page *p = &t->s->page[user_page(t, i)];

		if (access_result(t->s, user_page(t, i), access))
			return i;
		p->touched = p->touched == TOUCHED ? TOUCHED : MAYBE;
	}
	return t->n;
}

/*
 * Cells of shared pages past the size cannot be compared.  (So this is not
 * about a stack that grew.)
 */
static bool all_count(const struct transfer *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct model_page *p = &t->s->page[user_page(t, i)];

		if (!cell_counts(p, user_cell(t, i)))
			return false;
	}
	return true;
}

void op_file_write_user(struct draw *d)
{
	struct transfer t;
	uint64_t end;
	unsigned n;
	size_t done;

	if (!some_transfer(d, &t))
		return;
	n = reachable(&t, MVM_READ);
	if (!all_count(&t, n))
		return;
	note(t.s, t.page, 1);
	note_file(t.f, t.at / CELLS, (t.at + t.n - 1) / CELLS);
	t.u.copy = (struct mvm_copy){from_user, prefault_from};
	SAY("  write file %d at cell %u from page %u cell %u, %u of %u cells\n",
		(int)(t.f - world.file), t.at, t.page, t.cell, n, t.n);
	EXPECT(mvm_pc_write(t.f->object, (uint64_t)t.at * CELL_BYTES, t.n * CELL_BYTES, &t.u.copy,
		       &done),
		n < t.n ? -MVM_EFAULT : 0, "pc_write from a space");
	EXPECT(done, n * CELL_BYTES, "its length");
	end = (uint64_t)(t.at + n) * CELL_BYTES;
	if (n > 0 && end > t.f->size)
		set_size(t.f, end);
	EXPECT(mvm_object_size(t.f->object), t.f->size, "the size after it");
	for (unsigned i = 0; i < n; i++)
		*cell_at(t.f, t.at + i) =
			visible(&t.s->page[user_page(&t, i)])->word[user_cell(&t, i)];
	stored(t.f, t.at, n);
	progress->accepted += n == t.n;
}

void op_file_read_user(struct draw *d)
{
	struct transfer t;
	unsigned n, inside;
	size_t done;

	if (!some_transfer(d, &t))
		return;
	t.n = inside = cells_inside(t.f, t.at, t.n);
	if (inside == 0)
		return;
	n = reachable(&t, MVM_WRITE);
	if (!all_count(&t, n))
		return;
	note(t.s, t.page, 1);
	note_file(t.f, t.at / CELLS, (t.at + inside - 1) / CELLS);
	t.u.copy = (struct mvm_copy){to_user, prefault_to};
	SAY("  read file %d at cell %u to page %u cell %u, %u of %u cells\n",
		(int)(t.f - world.file), t.at, t.page, t.cell, n, inside);
	/* Up to the last cell's word: the file may end behind that. */
	EXPECT(mvm_pc_read(t.f->object, (uint64_t)t.at * CELL_BYTES,
		       (inside - 1) * CELL_BYTES + sizeof(uint64_t), &t.u.copy, &done),
		n < inside ? -MVM_EFAULT : 0, "pc_read to a space");
	EXPECT(done, n < inside ? n * CELL_BYTES : (inside - 1) * CELL_BYTES + sizeof(uint64_t),
		"its length");
	for (unsigned i = 0; i < n; i++)
		set_cell(&t.s->page[user_page(&t, i)], user_cell(&t, i), *cell_at(t.f, t.at + i));
	progress->accepted += n == inside;
}

/* What a mapping would do, without one. */
void op_file_touch(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned cell = below(d, FILE_PAGES * CELLS), offset = cell * CELL_BYTES;
	bool past = (uint64_t)(cell / CELLS) << MVM_PAGE_SHIFT >= f->size;
	uint8_t byte = (uint8_t)draw(d);

	note_file(f, cell / CELLS, cell / CELLS);
	if (below(d, 2)) {
		EXPECT(mvm_pc_touch_write(f->object, offset, byte), past ? -MVM_EFAULT : 0,
			"touch");
		if (cells_inside(f, cell, 1)) {
			memcpy(cell_at(f, cell), &byte, 1);
			stored(f, cell, 1);
		} else if (!past) {
			f->page[cell / CELLS].litter |= 1u << cell % CELLS;
		}
		return;
	}
	EXPECT(mvm_pc_touch_read(f->object, offset, &byte), past ? -MVM_EFAULT : 0, "touch");
	if (cells_inside(f, cell, 1) && memcmp(&byte, cell_at(f, cell), 1) != 0)
		FAIL("touch_read of cell %u: another byte", cell);
	progress->accepted += !past;
}

/* --- Sizes and holes -------------------------------------------------------------------------- */

/* Bytes [start, end) become zeros; sizes and holes cut no word in two. */
static void zero_cells(struct model_file *f, uint64_t start, uint64_t end)
{
	for (unsigned cell = 0; cell < FILE_PAGES * CELLS; cell++) {
		uint64_t at = (uint64_t)cell * CELL_BYTES;

		if (at < start || at >= end)
			continue;
		*cell_at(f, cell) = 0;
		f->stored[cell / CELLS] |= at < f->size;
	}
}

/* Pages of the file from byte `start` to `end` have left the cache; `copies`: private ones, too. */
static void drop_pages(const struct model_file *f, uint64_t start, uint64_t end, bool copies)
{
	for (unsigned i = 0; i < SPACES * PAGES; i++) {
		struct model_page *p = &world.space[i / PAGES].page[i % PAGES];
		uint64_t at = bytes_of(p->index);

		if (p->kind < PRIVATE || &world.file[p->file] != f || at < start || at >= end)
			continue;
		if (p->kind == PRIVATE && copies)
			drop_contents(p);
		p->kept = false;
	}
}

static uint64_t some_size(struct draw *d)
{
	return (uint64_t)below(d, FILE_PAGES * CELLS) * CELL_BYTES +
	       (below(d, 3) ? 0 : sizeof(uint64_t));
}

void op_truncate(struct draw *d)
{
	struct model_file *f = some_file(d);
	uint64_t size = some_size(d), low = size < f->size ? size : f->size;

	note_file(f, (unsigned)(low >> MVM_PAGE_SHIFT), FILE_PAGES);
	SAY("  truncate file %d: %lu -> %lu\n", (int)(f - world.file), (long)f->size, (long)size);
	EXPECT(mvm_pc_truncate(f->object, size), 0, "pc_truncate");
	if (size < f->size) {
		zero_cells(f, size, FILE_PAGES * MVM_PAGE_BYTES);
		if (f->file)
			test_file_free_blocks(f->file, size);
		drop_pages(f, size, UINT64_MAX, true);
	}
	if (size != f->size)
		set_size(f, size);
	progress->accepted++;
}

static struct model_file *punched;

static int free_blocks(struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last)
{
	(void)obj;
	for (mvm_pgoff_t i = first; punched->file && i <= last && i < FILE_PAGES; i++)
		memset(punched->file->disk + (i << MVM_PAGE_SHIFT), 0, MVM_PAGE_BYTES);
	return 0;
}

void op_punch(struct draw *d)
{
	struct model_file *f = some_file(d);
	uint64_t start = some_size(d), end = start + some_size(d) / 6 + CELL_BYTES;

	end -= end % CELL_BYTES;
	if (start >= f->size)
		return;
	if (end > f->size)
		end = f->size;
	note_file(f, (unsigned)(start >> MVM_PAGE_SHIFT), (unsigned)((end - 1) >> MVM_PAGE_SHIFT));
	SAY("  punch file %d: %lu to %lu\n", (int)(f - world.file), (long)start, (long)end);
	punched = f;
	EXPECT(mvm_pc_punch(f->object, start, end, free_blocks), 0, "pc_punch");
	zero_cells(f, start, end);
	drop_pages(f, start, end, false);
	progress->accepted++;
}

/* --- Between the cache and the disk ----------------------------------------------------------- */

void op_flush(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned first = below(d, FILE_PAGES), last = first + below(d, FILE_PAGES);

	note_file(f, first, last);
	EXPECT(mvm_pc_flush(f->object, first, last, MVM_PC_WAIT), 0, "pc_flush");
	compare_disk(f, first, last);
	for (unsigned i = first; f->file && i <= last && i < FILE_PAGES; i++)
		f->stored[i] = false;
	progress->accepted++;
}

void op_readahead(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned first = below(d, FILE_PAGES), n = 1 + below(d, FILE_PAGES);

	note_file(f, first, first + n - 1);
	mvm_pc_readahead(f->object, first, n);
	progress->accepted++;
}

void op_invalidate(struct draw *d)
{
	struct model_file *f = some_file(d);
	unsigned first = below(d, FILE_PAGES), last = first + below(d, FILE_PAGES);

	note_file(f, first, last);
	mvm_pc_invalidate(f->object, first, last);
	compare_kept();
	progress->accepted++;
}

void op_writeback(struct draw *d)
{
	bool wait = below(d, 2);

	EXPECT(mvm_writeback(0, wait), 0, "writeback");
	progress->accepted++;
	for (unsigned i = 0; i < FILES && wait; i++) {
		note_file(&world.file[i], 0, FILE_PAGES);
		compare_disk(&world.file[i], 0, FILE_PAGES - 1);
		memset(world.file[i].stored, 0, sizeof world.file[i].stored);
	}
}

void op_reclaim(struct draw *d)
{
	for (unsigned i = 0; i < FILES; i++)
		note_file(&world.file[i], 0, FILE_PAGES);
	(void)mvm_reclaim(1 + below(d, 64));
	compare_kept();
	progress->accepted++;
}
