// SPDX-License-Identifier: MIT
#include "model.h"

enum access { LOAD, STORE, EXECUTE };

static void access_some(struct draw *d, enum access what)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), cell = below(d, CELLS);

	if (!s)
		return;
	/* Go on from a hole to something mapped, most of the time. */
	for (unsigned i = 0; i < PAGES && s->page[page].kind == NONE && below(d, 8); i++)
		page = (page + 1) % PAGES;
	note(s, page);
	if (what == LOAD) {
		load(s, page, cell);
	} else if (what == STORE) {
		store(s, page, cell, draw(d));
	} else {
		enum mvm_fault_result want = refused(&s->page[page], MVM_EXEC);

		if (!want)
			visible(&s->page[page], &want);
		EXPECT(posix_execute(s->space, address(page)), want, "execute");
		progress->accepted++;
	}
}

void op_load(struct draw *d)
{
	access_some(d, LOAD);
}

void op_store(struct draw *d)
{
	access_some(d, STORE);
}

void op_execute(struct draw *d)
{
	access_some(d, EXECUTE);
}

static unsigned some_rights(struct draw *d)
{
	static const unsigned char rights[] = {MVM_READ | MVM_WRITE, MVM_READ | MVM_WRITE,
		MVM_READ | MVM_WRITE, MVM_READ, MVM_READ, 0, MVM_READ | MVM_EXEC, MVM_RWX};

	return rights[below(d, sizeof rights)];
}

static void map_some(struct draw *d, bool hint)
{
	struct model_space *s = some_space(d);
	struct mvm_map map = {.flags = hint ? 0 : MVM_MAP_FIXED};
	struct model_page model = {.kind = 1 + below(d, 3)};
	unsigned first, n;

	some_range(d, &first, &n);
	model.rights = some_rights(d);
	model.max_rights = MVM_RWX;
	if (model.kind != ANON) {
		model.file = below(d, FILES);
		model.index = below(d, FILE_PAGES);
		if (model.kind == FILE_SHARED && !below(d, 4))
			model.max_rights = model.rights | MVM_READ;
	}
	if (!s)
		return;
	note(s, first);
	map.addr = address(first);
	map.bytes = (size_t)n << MVM_PAGE_SHIFT;
	map.rights = model.rights;
	map.max_rights = model.max_rights;
	if (model.kind == FILE_SHARED)
		map.flags |= MVM_MAP_SHARED;
	if (!below(d, 8))
		map.flags |= MVM_MAP_POPULATE;
	if (model.kind != ANON) {
		/* Model pages do not reach past the array: keep the range inside it. */
		if (n > FILE_PAGES - model.index)
			n = FILE_PAGES - model.index;
		map.bytes = (size_t)n << MVM_PAGE_SHIFT;
		map.object = world.file[model.file].file->object;
		map.offset_pages = model.index;
	}
	EXPECT(mvm_map(s->space, &map), 0, "map");
	progress->accepted++;
	SAY("  map %lx+%u kind %d rights %u flags %x\n", (long)map.addr, n, model.kind,
		model.rights, map.flags);
	if (hint && (map.addr < BASE || map.addr + map.bytes > address(PAGES))) {
		/* Placed elsewhere: outside what the model watches. */
		EXPECT(mvm_unmap(s->space, map.addr, map.bytes), 0, "unmap of a placed mapping");
		return;
	}
	first = (unsigned)((map.addr - BASE) >> MVM_PAGE_SHIFT);
	for (unsigned i = 0; i < n; i++) {
		if (hint && s->page[first + i].kind != NONE)
			FAIL("map without FIXED over page %u, which is mapped", first + i);
		s->page[first + i] = model;
		model.index++;
	}
}

void op_map_fixed(struct draw *d)
{
	map_some(d, false);
}

void op_map_hint(struct draw *d)
{
	map_some(d, true);
}

void op_unmap(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n;

	some_range(d, &first, &n);
	if (!s)
		return;
	note(s, first);
	SAY("  unmap %u+%u\n", first, n);
	EXPECT(mvm_unmap(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT), 0, "unmap");
	progress->accepted++;
	for (unsigned i = first; i < first + n; i++)
		s->page[i].kind = NONE, s->page[i].copied = false;
}

void op_protect(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, rights = some_rights(d), end, err = 0;

	some_range(d, &first, &n);
	if (!s)
		return;
	for (end = first; end < first + n && s->page[end].kind != NONE; end++) {
		if (rights & ~s->page[end].max_rights)
			return; /* what changes before EACCES is nobody's promise */
	}
	if (end < first + n)
		err = MVM_ENOMEM;
	note(s, first);
	SAY("  protect %u+%u rights %u\n", first, n, rights);
	EXPECT(mvm_protect(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT, rights),
		-(int)err, "protect");
	progress->accepted += !err;
	for (unsigned i = first; i < end; i++)
		s->page[i].rights = rights;
}

void op_sync(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, want = 0;

	some_range(d, &first, &n);
	if (!s)
		return;
	for (unsigned i = first; i < first + n; i++)
		want = s->page[i].kind == NONE ? MVM_ENOMEM : want;
	note(s, first);
	EXPECT(mvm_sync(s->space, address(first), (size_t)n << MVM_PAGE_SHIFT, MVM_SYNC_WAIT, NULL),
		-(int)want, "sync");
	progress->accepted += !want;
	for (unsigned i = first; i < first + n; i++) {
		struct model_page *p = &s->page[i];

		if (p->kind == FILE_SHARED)
			compare_disk(&world.file[p->file], p->index, p->index);
	}
}

void op_fork(struct draw *d)
{
	struct model_space *from = some_space(d), *to = &world.space[below(d, SPACES)];

	if (!from || to->space)
		return;
	note(from, below(d, PAGES));
	for (unsigned i = 0; i < PAGES; i++)
		from->page[i].forked = from->page[i].copied;
	*to = *from;
	SAY("  fork %d -> %d\n", (int)(from - world.space), (int)(to - world.space));
	EXPECT(mvm_space_fork(from->space, &to->space), 0, "fork");
	progress->accepted++;
}

void op_free(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned left = 0;

	for (unsigned i = 0; i < SPACES; i++)
		left += world.space[i].space != NULL;
	if (!s)
		return;
	note(s, below(d, PAGES));
	SAY("  free %d\n", (int)(s - world.space));
	free_space(s);
	if (left == 1)
		new_space(s);
	progress->accepted++;
}

void op_prefault(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	enum mvm_fault_result want;
	struct model_page *p;

	if (!s)
		return;
	p = &s->page[page];
	want = refused(p, access);
	if (!want)
		visible(p, &want);
	note(s, page);
	EXPECT(mvm_prefault(s->space, address(page) + 5, 1, access), want ? -MVM_EFAULT : 0,
		"prefault");
	progress->accepted += !want;
	if (!want && access == MVM_WRITE && p->kind != FILE_SHARED && !p->copied) {
		p->own = *visible(p, &want); /* it may have been copied now: same bytes, but */
		p->copied = true;            /* cut off from what the file does later */
	}
	if (!want && access == MVM_WRITE)
		store(s, page, 0, draw(d)); /* so that model and mm agree that it was */
}

void op_space_write(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), cell = below(d, CELLS);
	uint64_t word = draw(d), back = 0;
	enum mvm_fault_result want;
	struct model_page *p;

	if (!s)
		return;
	p = &s->page[page];
	want = refused(p, MVM_WRITE);
	if (!want && !(p->rights & MVM_READ))
		want = MVM_FAULT_ACCERR;
	if (!want)
		visible(p, &want);
	note(s, page);
	if (!want && p->kind == FILE_SHARED && !cell_counts(p, cell))
		cell = 0;
	EXPECT(mvm_space_write(
		       s->space, address(page) + cell * CELL_BYTES, &word, sizeof word, false),
		want ? -MVM_EFAULT : 0, "space_write");
	if (want)
		return;
	store(s, page, cell, word);
	EXPECT(mvm_space_read(s->space, address(page) + cell * CELL_BYTES, &back, sizeof back), 0,
		"space_read");
	EXPECT(back, word, "space_read's word");
}

void op_hold(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = below(d, PAGES), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	enum mvm_fault_result want;
	struct mvm_hold hold;
	uint64_t word;

	if (!s)
		return;
	want = refused(&s->page[page], access);
	if (!want)
		visible(&s->page[page], &want);
	note(s, page);
	EXPECT(mvm_hold(s->space, address(page), access, &hold), want ? -MVM_EFAULT : 0, "hold");
	if (want)
		return;
	if (access == MVM_WRITE)
		store(s, page, 0, draw(d));
	memcpy(&word, posix_frame_data(hold.frame), sizeof word);
	if (word != visible(&s->page[page], &want)->word[0])
		FAIL("the frame that was held is not the page's");
	EXPECT(mvm_release(&hold), 0, "release");
	progress->accepted++;
}
