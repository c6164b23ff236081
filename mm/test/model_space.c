// SPDX-License-Identifier: MIT
#include "model.h"

/* --- Accesses --------------------------------------------------------------------------------- */

void op_load(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s);

	note(s, page, 1);
	load(s, page, below(d, CELLS));
	progress->accepted++;
}

void op_store(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s);

	note(s, page, 1);
	store(s, page, below(d, CELLS), draw(d));
	progress->accepted++;
}

void op_execute(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s);
	enum mvm_fault_result want;

	note(s, page, 1);
	want = access_result(s, page, MVM_EXEC);
	EXPECT(posix_execute(s->space, address(page)), want, "execute");
	if (!want)
		note_load(&s->page[page]);
	progress->accepted++;
}

/* --- Map, unmap, protect ---------------------------------------------------------------------- */

/* What a map of n pages is, in the model; n may become smaller, to stay inside the object. */
static struct model_page some_meaning(
	struct draw *d, const struct model_space *s, unsigned *n, struct mvm_map *map)
{
	struct model_page p = {.kind = 1 + below(d, 3), .max_rights = MVM_RWX};

	p.rights = some_rights(d);
	p.flags = below(d, 10) ? 0 : MVM_MAP_NORESERVE;
	p.flags |= below(d, 20) ? 0 : MVM_MAP_LOCKED;
	p.flags |= p.flags & MVM_MAP_LOCKED && below(d, 2) ? MVM_MAP_LOCKONFAULT : 0;
	if (p.kind != ANON) {
		p.file = below(d, 12) ? below(d, DEVICE) : DEVICE;
		p.index = below(d, p.file == DEVICE ? DEVICE_PAGES : FILE_PAGES);
		if (p.kind == SHARED && !below(d, 4))
			p.max_rights = p.rights | MVM_READ;
		if (*n > (p.file == DEVICE ? DEVICE_PAGES : FILE_PAGES) - p.index)
			*n = (p.file == DEVICE ? DEVICE_PAGES : FILE_PAGES) - p.index;
		map->object = world.file[p.file].object;
		map->offset_pages = p.index;
	}
	map->rights = p.rights;
	map->max_rights = p.max_rights;
	map->flags |= p.flags | (p.kind == SHARED ? MVM_MAP_SHARED : 0);
	p.flags |= s->future;
	if (is_device(&p)) /* cannot leave memory */
		p.flags &= ~(unsigned)(MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT);
	return p;
}

/* The map was made at `first`. */
static void enter_pages(struct draw *d, struct model_space *s, unsigned first, unsigned n,
	struct model_page p, unsigned flags)
{
	bool prefaulted = flags & MVM_MAP_POPULATE ||
			  (p.flags & (MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT)) == MVM_MAP_LOCKED;

	/* That nothing could be prefaulted is no failure of the call. */
	if (prefaulted && p.rights & MVM_WRITE)
		p.touched = options.fail ? MAYBE : TOUCHED;
	for (unsigned i = first; i < first + n; i++, p.index++) {
		drop_page(&s->page[i]);
		s->page[i] = p;
	}
	if (prefaulted && is_locked(&p))
		store_to_copied(d, s, first, n);
}

void op_map_fixed(struct draw *d)
{
	struct model_space *s = some_space(d);
	struct mvm_map map = {.flags = MVM_MAP_FIXED};
	struct model_page p;
	unsigned first, n;
	bool taken = false;
	int want;

	some_range(d, &first, &n);
	p = some_meaning(d, s, &n, &map);
	if (first >= MAIN_PAGES)
		return;
	if (!below(d, 8))
		map.flags ^= MVM_MAP_FIXED | MVM_MAP_FIXED_NOREPLACE;
	if (!below(d, 8))
		map.flags |= MVM_MAP_POPULATE;
	note(s, first, n);
	map.addr = address(first);
	map.bytes = bytes_of(n);
	for (unsigned i = first; i < first + n; i++)
		taken |= s->page[i].kind != NONE;
	want = map_limit(s, &p, first, n);
	if (taken && map.flags & MVM_MAP_FIXED_NOREPLACE)
		want = MVM_EEXIST;
	if (p.rights & ~p.max_rights)
		want = MVM_EACCES;
	SAY("  map %u+%u kind %d object %u rights %u flags %x: %d\n", first, n, p.kind, p.file,
		p.rights, map.flags, want);
	EXPECT(mvm_map(s->space, &map), -want, "map");
	if (want)
		return;
	progress->accepted++;
	enter_pages(d, s, first, n, p, map.flags);
}

/* What large pages are for: private memory that nobody has touched; and a first access to it. */
void op_map_large(struct draw *d)
{
	struct model_space *s = some_space(d);
	struct model_page p = {.kind = ANON, .rights = MVM_READ | MVM_WRITE, .max_rights = MVM_RWX};
	unsigned first = below(d, 4) ? 0 : 1, n = LARGE_PAGES + below(d, 16), page = below(d, n);
	struct mvm_map map = {.addr = address(first),
		.bytes = bytes_of(n),
		.rights = p.rights,
		.max_rights = p.max_rights,
		.flags = MVM_MAP_FIXED | MVM_MAP_HUGE | (below(d, 8) ? 0 : MVM_MAP_POPULATE)};
	int want;

	p.flags = MVM_MAP_HUGE | s->future;
	note(s, first, n);
	want = map_limit(s, &p, first, n);
	SAY("  map %u+%u large, flags %x: %d\n", first, n, map.flags, want);
	EXPECT(mvm_map(s->space, &map), -want, "map");
	if (want)
		return;
	progress->accepted++;
	enter_pages(d, s, first, n, p, map.flags);
	if (below(d, 2))
		store(s, first + page, below(d, CELLS), draw(d));
	else
		load(s, first + page, below(d, CELLS));
}

void op_map_hint(struct draw *d)
{
	struct model_space *s = some_space(d);
	struct mvm_map map = {.flags = 0};
	struct model_page p;
	unsigned first, n;
	int want;

	some_range(d, &first, &n);
	p = some_meaning(d, s, &n, &map);
	if (first >= MAIN_PAGES)
		return;
	note(s, first, n);
	map.addr = address(first);
	map.bytes = bytes_of(n);
	want = over_limit(s, &p, n);
	EXPECT(mvm_map(s->space, &map), -want, "map with a hint");
	if (want)
		return;
	progress->accepted++;
	if (map.addr < BASE || map.addr + map.bytes > BASE + bytes_of(MAIN_PAGES)) {
		/* Placed elsewhere: outside what the model watches. */
		EXPECT(mvm_unmap(s->space, map.addr, map.bytes), 0, "unmap of a placed mapping");
		return;
	}
	first = (unsigned)((map.addr - BASE) >> MVM_PAGE_SHIFT);
	for (unsigned i = first; i < first + n; i++) {
		if (s->page[i].kind != NONE)
			FAIL("map without FIXED over page %u, which is mapped", i);
	}
	enter_pages(d, s, first, n, p, map.flags);
}

/* A stack, some pages large, that may grow down from there. */
void op_map_stack(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first = MAIN_PAGES + below(d, STACK_PAGES), n = 1 + below(d, 4);
	struct model_page p = {
		.kind = ANON,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_GROWSDOWN | s->future,
	};
	struct mvm_map map = {
		.addr = address(first),
		.rights = p.rights,
		.max_rights = p.max_rights,
		.flags = MVM_MAP_FIXED | MVM_MAP_GROWSDOWN,
	};
	int want;

	if (n > PAGES - first)
		n = PAGES - first;
	map.bytes = bytes_of(n);
	note(s, first, n);
	want = map_limit(s, &p, first, n);
	SAY("  map a stack at %u+%u: %d\n", first, n, want);
	EXPECT(mvm_map(s->space, &map), -want, "map of a stack");
	if (want)
		return;
	progress->accepted++;
	enter_pages(d, s, first, n, p, map.flags);
}

void op_unmap(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n;

	some_range(d, &first, &n);
	note(s, first, n);
	SAY("  unmap %u+%u\n", first, n);
	EXPECT(mvm_unmap(s->space, address(first), bytes_of(n)), 0, "unmap");
	progress->accepted++;
	for (unsigned i = first; i < first + n; i++)
		drop_page(&s->page[i]);
}

/* The pages [page, end) of one area get the rights: 0 or how that is refused. */
static int protect_part(struct model_space *s, unsigned page, unsigned end, unsigned rights)
{
	struct model_page like = s->page[page];
	bool gains = rights & ~like.rights & MVM_WRITE;

	if (rights & ~like.max_rights)
		return MVM_EACCES;
	like.rights |= rights;
	if (gains && is_data(&like) && count_pages(s, is_data) + end - page > s->limits.data)
		return MVM_ENOMEM;
	for (unsigned i = page; i < end; i++)
		s->page[i].rights = rights;
	return 0;
}

void op_protect(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, rights = some_rights(d), end;
	int want = 0;

	some_range(d, &first, &n);
	note(s, first, n);
	for (unsigned i = first; i < first + n && !want; i = end) {
		end = s->page[i].kind == NONE ? i : area_end(s, i);
		end = end < first + n ? end : first + n;
		want = s->page[i].kind == NONE ? MVM_ENOMEM : protect_part(s, i, end, rights);
	}
	SAY("  protect %u+%u rights %u: %d\n", first, n, rights, want);
	EXPECT(mvm_protect(s->space, address(first), bytes_of(n), rights), -want, "protect");
	progress->accepted += !want;
}

void op_sync(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, flags = MVM_SYNC_WAIT | (below(d, 4) ? 0 : MVM_SYNC_INVALIDATE);
	int want = 0;

	some_range(d, &first, &n);
	note(s, first, n);
	for (unsigned i = first; i < first + n && want != MVM_EBUSY; i++) {
		if (flags & MVM_SYNC_INVALIDATE && is_locked(&s->page[i]))
			want = MVM_EBUSY;
		else if (s->page[i].kind == NONE)
			want = MVM_ENOMEM;
	}
	EXPECT(mvm_sync(s->space, address(first), bytes_of(n), flags, NULL), -want, "sync");
	progress->accepted += !want;
	for (unsigned i = first; i < first + n && want != MVM_EBUSY; i++) {
		struct model_page *p = &s->page[i];

		if (p->kind == SHARED)
			compare_disk(&world.file[p->file], p->index, p->index);
	}
}

/* --- Fork, and the end ------------------------------------------------------------------------ */

static void fork_page(struct model_page *to, struct model_page *from)
{
	from->forked = from->copied;
	*to = *from;
	to->flags &= ~(unsigned)(MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT);
	to->kept = false;
	to->hold = 0;
	if (from->flags & MVM_MAP_DONTFORK)
		drop_page(to);
	else if (from->flags & MVM_MAP_WIPEONFORK)
		drop_contents(to);
}

void op_fork(struct draw *d)
{
	struct model_space *from = some_space(d), *to = &world.space[below(d, SPACES)];

	if (to->space)
		return;
	note(from, 0, PAGES);
	*to = *from;
	to->future = 0;
	for (unsigned i = 0; i < PAGES; i++)
		fork_page(&to->page[i], &from->page[i]);
	EXPECT(mvm_space_fork(from->space, &to->space), 0, "fork");
	SAY("  fork %d -> %d\n", (int)(from - world.space), (int)(to - world.space));
	progress->accepted++;
}

void op_free(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned left = 0;

	for (unsigned i = 0; i < SPACES; i++)
		left += world.space[i].space != NULL;
	note(s, 0, PAGES);
	SAY("  free %d\n", (int)(s - world.space));
	if (below(d, 2)) {
		struct mvm_map map = {.bytes = 1};
		uint64_t word;

		for (unsigned i = 0; i < PAGES; i++)
			drop_page(&s->page[i]);
		mvm_space_kill(s->space);
		EXPECT(mvm_map(s->space, &map), -MVM_ENOMEM, "map in a dead space");
		EXPECT(posix_load(s->space, BASE, &word, sizeof word), MVM_FAULT_MAPERR,
			"load in a dead space");
		compare_holds();
	}
	free_space(s);
	if (left == 1)
		new_space(s);
	progress->accepted++;
}

/* --- For the kernel's own use ----------------------------------------------------------------- */

void op_prefault(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	enum mvm_fault_result want;

	note(s, page, 1);
	want = access_result(s, page, access);
	EXPECT(mvm_prefault(s->space, address(page) + 5, 1, access), want ? -MVM_EFAULT : 0,
		"prefault");
	progress->accepted += !want;
	if (want)
		return;
	note_load(&s->page[page]);
	if (access == MVM_WRITE)
		store(s, page, 0, draw(d));
}

/* How a store by the kernel ends: with force, areas only forbid to change shared pages. */
static enum mvm_fault_result write_result(struct model_space *s, unsigned page, bool force)
{
	struct model_page *p;
	unsigned rights;
	enum mvm_fault_result result;

	maybe_grow(s, page);
	p = &s->page[page];
	rights = p->rights;
	if (force && is_private(p))
		p->rights |= MVM_READ | MVM_WRITE;
	result = access_result(s, page, MVM_WRITE);
	p->rights = rights;
	return result;
}

void op_space_write(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s), cell = below(d, CELLS);
	struct model_page *p = &s->page[page];
	uint64_t word = draw(d), back = 0;
	bool force = below(d, 2);
	enum mvm_fault_result want;
	mvm_vaddr_t va;

	note(s, page, 1);
	want = write_result(s, page, force);
	if (!want && p->kind == SHARED && !cell_counts(p, cell))
		cell = 0;
	va = address(page) + cell * CELL_BYTES;
	EXPECT(mvm_space_write(s->space, va, &word, sizeof word, force), want ? -MVM_EFAULT : 0,
		"space_write");
	if (want)
		return;
	progress->accepted++;
	set_cell(p, cell, word);
	EXPECT(mvm_space_read(s->space, va, &back, sizeof back), p->rights ? 0 : -MVM_EFAULT,
		"space_read");
	if (p->rights)
		EXPECT(back, word, "space_read's word");
}

/* Keep it for op_device_write() to use; false: no. */
static bool keep_hold(struct model_space *s, unsigned page, const struct mvm_hold *hold)
{
	struct model_page *p = &s->page[page];

	for (unsigned i = 0; i < HOLDS && is_private(p) && !p->hold && hold->page; i++) {
		if (world.hold[i].space)
			continue;
		world.hold[i] = (struct model_hold){.space = s, .hold = *hold};
		p->hold = i + 1;
		SAY("  kept as %u\n", i);
		return true;
	}
	return false;
}

/* A file's page is written back while it is held; after that, the device writes to it. */
static void write_held_file(struct draw *d, struct model_page *p, const struct mvm_hold *hold)
{
	unsigned cell = below(d, CELLS);
	uint64_t word = draw(d);

	if (!hold->object || !cell_counts(p, cell))
		return;
	EXPECT(mvm_pc_flush(hold->object, p->index, p->index, MVM_PC_WAIT), 0, "pc_flush");
	memcpy((char *)posix_frame_data(hold->frame) + cell * CELL_BYTES, &word, sizeof word);
	set_cell(p, cell, word);
}

void op_hold(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned page = some_page(d, s), access = below(d, 2) ? MVM_READ : MVM_WRITE;
	struct model_page *p = &s->page[page];
	enum mvm_fault_result want;
	struct mvm_hold hold;
	uint64_t word;

	note(s, page, 1);
	want = access_result(s, page, access);
	EXPECT(mvm_hold(s->space, address(page), access, &hold), want ? -MVM_EFAULT : 0, "hold");
	if (want)
		return;
	progress->accepted++;
	note_load(p);
	if (access == MVM_WRITE)
		store(s, page, 0, draw(d));
	memcpy(&word, posix_frame_data(hold.frame), sizeof word);
	if (cell_counts(p, 0) && word != visible(p)->word[0])
		FAIL("the frame that was held is not the page's");
	if (access == MVM_WRITE && keep_hold(s, page, &hold))
		return;
	if (access == MVM_WRITE)
		write_held_file(d, p, &hold);
	EXPECT(mvm_release(&hold), 0, "release");
}

/* The device that a page is held for writes to it, or is done. */
void op_device_write(struct draw *d)
{
	unsigned i = below(d, HOLDS), cell = below(d, CELLS);
	struct model_hold *h = &world.hold[i];
	uint64_t word = draw(d);
	char *bytes;

	if (!h->space)
		return;
	compare_holds();
	bytes = posix_frame_data(h->hold.frame);
	for (unsigned page = 0; page < PAGES; page++) {
		struct model_page *p = &h->space->page[page];

		if (p->hold != i + 1)
			continue;
		note(h->space, page, 1);
		if (is_known(&p->own, cell) &&
			memcmp(bytes + cell * CELL_BYTES, &p->own.word[cell], sizeof word) != 0)
			FAIL("page %u is held, and its frame is another", page);
		know(&p->own, cell, word);
		p->hold = below(d, 3) ? p->hold : 0;
		memcpy(bytes + cell * CELL_BYTES, &word, sizeof word);
		progress->accepted++;
		if (p->hold)
			return;
	}
	EXPECT(mvm_release(&h->hold), 0, "release");
	h->space = NULL;
}

void op_futex(struct draw *d)
{
	struct model_space *s[2] = {some_space(d), some_space(d)};
	unsigned page[2], cell[2];
	const struct model_page *p[2];
	struct mvm_key key[2];
	unsigned n_keys = 0;
	bool same;

	for (unsigned i = 0; i < 2; i++) {
		page[i] = i && below(d, 2) ? page[0] : some_page(d, s[i]);
		cell[i] = i && below(d, 2) ? cell[0] : below(d, CELLS);
		p[i] = &s[i]->page[page[i]];
		note(s[i], page[i], 1);
		EXPECT(mvm_futex_key(s[i]->space, address(page[i]) + cell[i] * CELL_BYTES, &key[i]),
			p[i]->kind == NONE ? -MVM_EFAULT : 0, "futex_key");
		if (p[i]->kind == NONE)
			goto out;
		n_keys++;
	}
	if (p[0]->kind == SHARED && p[1]->kind == SHARED)
		same = p[0]->file == p[1]->file && p[0]->index == p[1]->index;
	else
		same = p[0]->kind != SHARED && s[0] == s[1] && page[0] == page[1];
	same = same && cell[0] == cell[1];
	EXPECT(key[0].what == key[1].what && key[0].where == key[1].where, same, "futex keys");
	progress->accepted++;
out:
	while (n_keys--)
		if (key[n_keys].object)
			mvm_object_unref(key[n_keys].object);
}
