// SPDX-License-Identifier: MIT
/*
 * Translation in the machine of posix.h: tables of three levels with 512 entries, as Sv39 has
 * them, and a small TLB for each hart.
 *
 * Tables are changed under the space's lock and read by harts without it, so entries are atomic.
 * A table stays until its pmap is destroyed.
 *
 * A hart's TLB has a lock that is held while an access goes through: tlb_sync takes it for each
 * hart, so after it no access is under way over a translation that the batch holds.
 */
#include "posix_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVEL_BITS  9
#define LEVEL_SLOTS (1u << LEVEL_BITS)
#define LEVELS      3
#define TLB_SLOTS   64

/* An entry: valid, rights, used, and the frame. */
#define ENTRY_VALID  (UINT64_C(1) << 0)
#define ENTRY_RIGHTS (UINT64_C(7) << 1)
#define ENTRY_USED   (UINT64_C(1) << 4)
#define ENTRY_FRAME  8

/* After so many, one after the other, no other thread can be the reason. */
#define FAULTS_IN_VAIN 1000000

struct posix_table {
	union {
		struct posix_table *table[LEVEL_SLOTS];
		posix_word_t entry[LEVEL_SLOTS]; /* [a] */
	};
};

struct tlb_slot {
	const struct mvmh_pmap *pmap; /* NULL: empty */
	mvm_vaddr_t page;
	uint64_t entry;
};

static struct hart {
	pthread_mutex_t mutex;
	struct tlb_slot slots[TLB_SLOTS];
} harts[MVMH_MAX_HARTS];

static unsigned forget_one_in, forget_anywhere_one_in;

/* What was entered last, for posix_forget_anywhere() to choose from. */
#define ENTERED 256
static struct entered {
	struct mvmh_pmap *pmap; /* NULL: none */
	mvm_vaddr_t va;
} entered[ENTERED];
static unsigned n_entered;

static void note_entered(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	if (forget_anywhere_one_in)
		entered[n_entered++ % ENTERED] = (struct entered){pmap, va};
}

/* The pmap goes. */
static void drop_entered(struct mvmh_pmap *pmap)
{
	for (unsigned i = 0; forget_anywhere_one_in && i < ENTERED; i++) {
		if (entered[i].pmap == pmap)
			entered[i].pmap = NULL;
	}
}

static uint64_t entry_make(mvm_frame_t frame, unsigned rights)
{
	return ENTRY_VALID | (uint64_t)rights << 1 | (uint64_t)frame << ENTRY_FRAME;
}

static mvm_frame_t entry_frame(uint64_t entry)
{
	return (mvm_frame_t)(entry >> ENTRY_FRAME);
}

static unsigned entry_rights(uint64_t entry)
{
	return (unsigned)((entry & ENTRY_RIGHTS) >> 1);
}

/* --- TLBs ------------------------------------------------------------------------------------ */

void posix_tlb_init(void)
{
	for (unsigned i = 0; i < MVMH_MAX_HARTS; i++)
		pthread_mutex_init(&harts[i].mutex, NULL);
}

static struct tlb_slot *tlb_slot(struct hart *hart, mvm_vaddr_t page)
{
	return &hart->slots[(page >> MVM_PAGE_SHIFT) % TLB_SLOTS];
}

static void tlb_forget(const struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end)
{
	for (unsigned i = 0; i < posix_harts(); i++) {
		struct hart *hart = &harts[i];

		pthread_mutex_lock(&hart->mutex);
		for (unsigned s = 0; s < TLB_SLOTS; s++) {
			struct tlb_slot *slot = &hart->slots[s];

			if (slot->pmap == pmap && slot->page >= start && slot->page < end)
				slot->pmap = NULL;
		}
		pthread_mutex_unlock(&hart->mutex);
	}
}

void posix_tlb_check_gone(mvm_frame_t frame)
{
	for (unsigned i = 0; i < posix_harts(); i++) {
		struct hart *hart = &harts[i];

		pthread_mutex_lock(&hart->mutex);
		for (unsigned s = 0; s < TLB_SLOTS; s++) {
			struct tlb_slot *slot = &hart->slots[s];

			if (slot->pmap && entry_frame(slot->entry) == frame)
				mvmh_panic("a frame is freed while a TLB reaches it");
		}
		pthread_mutex_unlock(&hart->mutex);
	}
}

static unsigned slow_one_in, fences;
static void (*on_fence)(void);

void posix_slow_fences(unsigned one_in)
{
	slow_one_in = one_in;
}

void posix_on_fence(void (*fn)(void))
{
	on_fence = fn;
}

static void batch_finish(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	if (batch->whole)
		tlb_forget(pmap, 0, UINTPTR_MAX);
	else if (batch->start != batch->end)
		tlb_forget(pmap, batch->start, batch->end);
	*batch = (struct mvmh_tlb){0};
}

void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	posix_check_unlocked("mvmh_tlb_sync: a lock of mm is held");
	if (slow_one_in && __atomic_add_fetch(&fences, 1, __ATOMIC_RELAXED) % slow_one_in == 0)
		usleep(30);
	if (on_fence)
		on_fence();
	batch_finish(pmap, batch);
}

/* This machine never has to wait; but then the other way would not be tested. */
bool posix_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	static unsigned calls;

	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2)
		return false;
	batch_finish(pmap, batch);
	return true;
}

static void batch_note(struct mvmh_tlb *batch, mvm_vaddr_t page)
{
	if (batch->start == batch->end) {
		batch->start = page;
		batch->end = page + MVM_PAGE_BYTES;
	}
	if (page < batch->start)
		batch->start = page;
	if (page + MVM_PAGE_BYTES > batch->end)
		batch->end = page + MVM_PAGE_BYTES;
}

/* --- Tables ---------------------------------------------------------------------------------- */

static unsigned slot_of(mvm_vaddr_t va, unsigned level)
{
	return (va >> (MVM_PAGE_SHIFT + level * LEVEL_BITS)) & (LEVEL_SLOTS - 1);
}

int mvmh_pmap_create(struct mvmh_pmap *pmap)
{
	posix_check_unlocked("mvmh_pmap_create: a lock of mm is held");
	if (posix_must_fail(POSIX_FAIL_TABLE))
		return -MVM_ENOMEM;
	pmap->root = calloc(1, sizeof *pmap->root);
	return pmap->root ? 0 : -MVM_ENOMEM;
}

void mvmh_pmap_destroy(struct mvmh_pmap *pmap)
{
	posix_check_unlocked("mvmh_pmap_destroy: a lock of mm is held");
	drop_entered(pmap);
	for (unsigned i = 0; i < LEVEL_SLOTS; i++) {
		struct posix_table *middle = pmap->root->table[i];

		for (unsigned j = 0; middle && j < LEVEL_SLOTS; j++) {
			struct posix_table *leaf = middle->table[j];

			for (unsigned k = 0; leaf && k < LEVEL_SLOTS; k++) {
				if (leaf->entry[k])
					mvmh_panic("mvmh_pmap_destroy: something is mapped");
			}
			free(leaf);
		}
		free(middle);
	}
	free(pmap->root);
	tlb_forget(pmap, 0, ~(mvm_vaddr_t)0); /* another pmap may get the address */
}

/* The table of the leaf entries around va; NULL: there is none. `*covered` is its end. */
static struct posix_table *leaf_table(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_vaddr_t *covered)
{
	struct posix_table *t = pmap->root;

	for (unsigned level = LEVELS - 1; level > 0; level--) {
		unsigned shift = MVM_PAGE_SHIFT + level * LEVEL_BITS;

		*covered = ((va >> shift) + 1) << shift;
		t = __atomic_load_n(&t->table[slot_of(va, level)], __ATOMIC_ACQUIRE);
		if (!t)
			return NULL;
	}
	return t;
}

static struct posix_table *leaf_table_make(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	struct posix_table *t = pmap->root;

	for (unsigned level = LEVELS - 1; level > 0; level--) {
		struct posix_table **slot = &t->table[slot_of(va, level)];

		if (!*slot) {
			if (posix_must_fail(POSIX_FAIL_TABLE))
				return NULL;
			struct posix_table *fresh = calloc(1, sizeof *fresh);
			if (!fresh)
				return NULL;
			__atomic_store_n(slot, fresh, __ATOMIC_RELEASE);
		}
		t = *slot;
	}
	return t;
}

/* The entry of va, or NULL. */
static posix_word_t *entry_at(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	mvm_vaddr_t covered;
	struct posix_table *leaf = leaf_table(pmap, va, &covered);

	return leaf ? &leaf->entry[slot_of(va, 0)] : NULL;
}

void posix_forget_anywhere(unsigned one_in)
{
	forget_anywhere_one_in = one_in;
	memset(entered, 0, sizeof entered);
}

static void forget_entry(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	posix_word_t *entry = entry_at(pmap, va);

	if (entry)
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	tlb_forget(pmap, va, va + MVM_PAGE_BYTES);
}

void posix_perhaps_forget(void)
{
	struct entered *e;

	if (!forget_anywhere_one_in || posix_random() % forget_anywhere_one_in)
		return;
	e = &entered[posix_random() % ENTERED];
	if (e->pmap)
		forget_entry(e->pmap, e->va);
	e->pmap = NULL;
}

static uint64_t code_syncs;

void posix_sync_code(struct mvmh_pmap *pmap)
{
	posix_perhaps_forget();
	posix_code_of = pmap;
	__atomic_add_fetch(&code_syncs, 1, __ATOMIC_RELAXED);
}

uint64_t posix_code_syncs(void)
{
	return __atomic_load_n(&code_syncs, __ATOMIC_RELAXED);
}

/* Code that a hart can find has been synchronized, as it is now. */
static void check_code(const struct mvmh_pmap *pmap, unsigned rights)
{
	if (rights & MVM_EXEC && posix_code_of != pmap)
		mvmh_panic("code is mapped that harts may know as it was");
}

static int enter_page(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	struct posix_table *leaf = leaf_table_make(pmap, va);
	posix_word_t *entry, old;

	if (!leaf)
		return -MVM_ENOMEM;
	entry = &leaf->entry[slot_of(va, 0)];
	old = __atomic_load_n(entry, __ATOMIC_RELAXED);
	if (old && entry_frame(old) != frame)
		return -MVM_EEXIST;
	if (old)
		rights |= entry_rights(old);
	__atomic_store_n(entry, entry_make(frame, rights) | ENTRY_USED, __ATOMIC_RELEASE);
	note_entered(pmap, va);
	return 0;
}

/* A large entry, all of which lies in one table: so many single ones, if nothing is there. */
static int enter_large(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights, unsigned order)
{
	struct posix_table *leaf = leaf_table_make(pmap, va);

	if (!leaf)
		return -MVM_ENOMEM;
	for (unsigned i = 0; i < 1u << order; i++) {
		if (__atomic_load_n(&leaf->entry[slot_of(va, 0) + i], __ATOMIC_RELAXED))
			return -MVM_EEXIST;
	}
	for (unsigned i = 0; i < 1u << order; i++) {
		if (enter_page(pmap, va + i * MVM_PAGE_BYTES, frame + i, rights) != 0)
			mvmh_panic("mvmh_pmap_enter: the table is there");
	}
	return 0;
}

int mvmh_pmap_enter(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights, unsigned order)
{
	mvm_vaddr_t bytes = (mvm_vaddr_t)MVM_PAGE_BYTES << order;
	mvm_frame_t last = frame + ((mvm_frame_t)1 << order) - 1;

	posix_perhaps_forget();
	if (va & (bytes - 1) || !posix_frame_taken(frame) || !posix_frame_taken(last) || !rights)
		mvmh_panic("mvmh_pmap_enter: bad arguments");
	check_code(pmap, rights);
	return order ? enter_large(pmap, va, frame, rights, order)
		     : enter_page(pmap, va, frame, rights);
}

void posix_pmap_enter_run(struct mvmh_pmap *pmap, mvm_vaddr_t va, const mvm_frame_t *frames,
	unsigned n, unsigned rights)
{
	struct posix_table *leaf = leaf_table_make(pmap, va);

	posix_perhaps_forget();
	if (n > MVM_RUN_PAGES - (va >> MVM_PAGE_SHIFT) % MVM_RUN_PAGES || !rights)
		mvmh_panic("mvmh_pmap_enter_run: bad arguments");
	check_code(pmap, rights);
	for (unsigned i = 0; leaf && i < n; i++, va += MVM_PAGE_BYTES) {
		posix_word_t *entry = &leaf->entry[slot_of(va, 0)];
		mvm_frame_t frame = frames[i];

		uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);

		if (frame == MVM_NO_FRAME || (old && entry_frame(old) != frame))
			continue;
		if (!posix_frame_taken(frame))
			mvmh_panic("mvmh_pmap_enter_run: the frame is free");
		__atomic_store_n(entry, entry_make(frame, rights | entry_rights(old)) | ENTRY_USED,
			__ATOMIC_RELEASE);
		note_entered(pmap, va);
	}
}

bool posix_pmap_fill(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights)
{
	posix_word_t *entry = entry_at(pmap, va);
	uint64_t absent = 0;

	if (!posix_frame_taken(frame) || !rights)
		mvmh_panic("mvmh_pmap_fill: bad arguments");
	return entry && !(rights & MVM_EXEC) &&
	       __atomic_compare_exchange_n(entry, &absent, entry_make(frame, rights) | ENTRY_USED,
		       false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* Both sweeps: visit valid entries until 64 have changed. */
static mvm_vaddr_t sweep(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	unsigned changed = 0;
	mvm_vaddr_t va = start, covered;

	posix_perhaps_forget();
	while (va < end) {
		struct posix_table *leaf = leaf_table(pmap, va, &covered);
		posix_word_t *entry, old;

		if (!leaf) {
			va = covered;
			continue;
		}
		if (changed == MVM_HOLD_PAGES)
			return va;
		entry = &leaf->entry[slot_of(va, 0)];
		old = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (old && (entry_rights(old) & ~rights)) {
			uint64_t reduced =
				(old & ~ENTRY_RIGHTS) | (uint64_t)(entry_rights(old) & rights) << 1;

			__atomic_store_n(entry, rights ? reduced : 0, __ATOMIC_RELEASE);
			batch_note(batch, va);
			changed++;
		}
		va += MVM_PAGE_BYTES;
	}
	return end;
}

mvm_vaddr_t mvmh_pmap_remove(
	struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	return sweep(pmap, start, end, 0, batch);
}

mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	if (!rights)
		mvmh_panic("mvmh_pmap_protect: no rights");
	return sweep(pmap, start, end, rights, batch);
}

mvm_vaddr_t posix_pmap_move(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	mvm_vaddr_t to, struct mvmh_tlb *batch)
{
	unsigned moved = 0;

	for (; start < end && moved < MVM_HOLD_PAGES;
		start += MVM_PAGE_BYTES, to += MVM_PAGE_BYTES) {
		posix_word_t *at = entry_at(pmap, start);
		uint64_t entry = at ? __atomic_load_n(at, __ATOMIC_RELAXED) : 0;

		if (!entry)
			continue;
		/* Where there is no memory for a table, the next fault brings the page back. */
		if (enter_page(pmap, to, entry_frame(entry), entry_rights(entry)) == -MVM_EEXIST)
			mvmh_panic("mvmh_pmap_move: something is mapped at the new place");
		if (mvmh_pmap_remove(pmap, start, start + MVM_PAGE_BYTES, batch) == start)
			mvmh_panic("mvmh_pmap_move: a page is not removed");
		moved++;
	}
	return start;
}

/* This, too, could always be done. */
bool posix_pmap_replace(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	static unsigned calls;
	posix_word_t *entry = entry_at(pmap, va);

	posix_perhaps_forget();
	if (!posix_frame_taken(frame) || !rights)
		mvmh_panic("mvmh_pmap_replace: bad arguments");
	check_code(pmap, rights);
	if (!entry || __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2)
		return false;
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	tlb_forget(pmap, va, va + MVM_PAGE_BYTES);
	__atomic_store_n(entry, entry_make(frame, rights) | ENTRY_USED, __ATOMIC_RELEASE);
	note_entered(pmap, va);
	return true;
}

/* And this. */
bool posix_pmap_remove_here(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	static unsigned calls;
	posix_word_t *entry = entry_at(pmap, va);

	posix_perhaps_forget();
	if (!entry || __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2)
		return false;
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	tlb_forget(pmap, va, va + MVM_PAGE_BYTES);
	return true;
}

bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	posix_word_t *entry = entry_at(pmap, va);

	if (!entry || !__atomic_load_n(entry, __ATOMIC_RELAXED))
		return false;
	return __atomic_fetch_and(entry, ~ENTRY_USED, __ATOMIC_RELAXED) & ENTRY_USED;
}

bool posix_pmap_query(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t *frame, unsigned *rights)
{
	posix_word_t *entry = entry_at(pmap, va);
	uint64_t e = entry ? __atomic_load_n(entry, __ATOMIC_ACQUIRE) : 0;

	if ((uint64_t)va >> (MVM_PAGE_SHIFT + LEVELS * LEVEL_BITS))
		mvmh_panic("mvmh_pmap_query: no table has that address");
	*frame = entry_frame(e);
	*rights = entry_rights(e);
	return e != 0;
}

size_t posix_mapped(struct mvm_space *space)
{
	struct mvmh_pmap *pmap = mvm_space_pmap(space);
	size_t n = 0;

	for (unsigned i = 0; i < LEVEL_SLOTS; i++) {
		struct posix_table *middle = pmap->root->table[i];

		for (unsigned j = 0; middle && j < LEVEL_SLOTS; j++) {
			struct posix_table *leaf = middle->table[j];

			for (unsigned k = 0; leaf && k < LEVEL_SLOTS; k++)
				n += __atomic_load_n(&leaf->entry[k], __ATOMIC_RELAXED) != 0;
		}
	}
	return n;
}

/* --- Accesses -------------------------------------------------------------------------------- */

void posix_forget(unsigned one_in)
{
	__atomic_store_n(&forget_one_in, one_in, __ATOMIC_RELAXED);
}

/* Perhaps drop the entry of va, as a table under pressure might at any time. */
static void maybe_forget(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	unsigned one_in = __atomic_load_n(&forget_one_in, __ATOMIC_RELAXED);

	if (one_in && posix_random() % one_in == 0)
		forget_entry(pmap, va);
}

/* The entry as a walk finds it, marked used; 0 when it does not allow the access. */
static uint64_t walk(struct mvmh_pmap *pmap, mvm_vaddr_t page, unsigned access)
{
	posix_word_t *entry = entry_at(pmap, page);
	uint64_t e = entry ? __atomic_load_n(entry, __ATOMIC_ACQUIRE) : 0;

	while (entry_rights(e) & access) {
		if (__atomic_compare_exchange_n(
			    entry, &e, e | ENTRY_USED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return e | ENTRY_USED;
	}
	return 0;
}

/* What the hart translates page to: from its TLB, else from the tables.  Its lock is held. */
static uint64_t translate(
	struct hart *hart, struct mvmh_pmap *pmap, mvm_vaddr_t page, unsigned access)
{
	struct tlb_slot *slot = tlb_slot(hart, page);
	uint64_t entry;

	if (slot->pmap == pmap && slot->page == page && (entry_rights(slot->entry) & access))
		return slot->entry;
	entry = walk(pmap, page, access);
	if (entry)
		*slot = (struct tlb_slot){.pmap = pmap, .page = page, .entry = entry};
	return entry;
}

/* Move n bytes inside one page; false: a fault. */
static bool access_page(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, char *buffer, size_t n, unsigned access)
{
	struct hart *hart = &harts[posix_hart()];
	mvm_vaddr_t page = va & ~(mvm_vaddr_t)MVM_PAGE_MASK;
	uint64_t entry;

	maybe_forget(pmap, page);
	pthread_mutex_lock(&hart->mutex);
	entry = translate(hart, pmap, page, access);
	if (entry) {
		char *bytes = posix_frame_data(entry_frame(entry));

		if (!posix_frame_taken(entry_frame(entry)))
			mvmh_panic("an access reaches a free frame");
		if (access == MVM_WRITE)
			memcpy(bytes + (va & MVM_PAGE_MASK), buffer, n);
		else if (access == MVM_READ)
			memcpy(buffer, bytes + (va & MVM_PAGE_MASK), n);
	}
	pthread_mutex_unlock(&hart->mutex);
	return entry != 0;
}

/* The accesses that follow; *done counts bytes. */
static enum mvm_fault_result access_bytes(struct mvm_space *space, mvm_vaddr_t va, char *buffer,
	size_t n, unsigned access, bool faults, size_t *done)
{
	struct mvmh_pmap *pmap = mvm_space_pmap(space);
	unsigned in_vain = 0;

	for (*done = 0; *done < n; in_vain = 0) {
		mvm_vaddr_t at = va + *done;
		size_t piece = MVM_PAGE_BYTES - (at & MVM_PAGE_MASK);

		if (piece > n - *done)
			piece = n - *done;
		while (!access_page(pmap, at, buffer + *done, piece, access)) {
			enum mvm_fault_result result;

			if (!faults)
				return MVM_FAULT_MAPERR;
			if (++in_vain == FAULTS_IN_VAIN)
				mvmh_panic("faults succeed, and the access still fails");
			result = mvm_fault(space, at, access);
			if (result != MVM_FAULT_OK)
				return result;
		}
		*done += piece;
	}
	return MVM_FAULT_OK;
}

enum mvm_fault_result posix_load(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t n)
{
	size_t done;

	return access_bytes(space, va, to, n, MVM_READ, true, &done);
}

enum mvm_fault_result posix_store(
	struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t n)
{
	size_t done;

	return access_bytes(space, va, (char *)(uintptr_t)from, n, MVM_WRITE, true, &done);
}

enum mvm_fault_result posix_execute(struct mvm_space *space, mvm_vaddr_t va)
{
	char none;
	size_t done;

	return access_bytes(space, va, &none, 1, MVM_EXEC, true, &done);
}

size_t posix_try_load(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t n)
{
	size_t done;

	(void)access_bytes(space, va, to, n, MVM_READ, false, &done);
	return done;
}

size_t posix_try_store(struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t n)
{
	size_t done;

	(void)access_bytes(space, va, (char *)(uintptr_t)from, n, MVM_WRITE, false, &done);
	return done;
}
