// SPDX-License-Identifier: MIT
#include "model.h"

/* --- Moving and resizing ---------------------------------------------------------------------- */

/* What a remap is about. */
struct remap {
	struct model_space *s;
	unsigned first, old, new; /* pages */
	unsigned flags;           /* of mvm_remap() */
	unsigned to;              /* FIXED */
};

/* Is [first, first + n) free, and in the main window? */
static bool is_free(const struct model_space *s, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		if (i >= MAIN_PAGES || s->page[i].kind != NONE)
			return false;
	}
	return true;
}

/* Lines the page up with n pages that follow it in the object, or in private memory. */
static struct model_page page_after(const struct model_page *p, unsigned n)
{
	struct model_page next = *p;

	next.index += next.kind == ANON ? 0 : n;
	next.copied = next.forked = next.kept = false;
	next.hold = 0;
	next.touched = is_locked(p) ? MAYBE : UNTOUCHED;
	return next;
}

/* The mapping, which was moved to `at` outside of the window, shows what the model has. */
static void compare_moved(const struct remap *r, struct model_page *pages, mvm_vaddr_t at)
{
	for (unsigned i = 0; i < r->new; i++) {
		struct model_page *p = &pages[i];
		uint64_t word;

		if (!(p->rights & MVM_READ) || (p->kind != ANON && !p->copied && past_size(p)))
			continue;
		EXPECT(posix_load(r->s->space, at + bytes_of(i), &word, sizeof word), 0,
			"load of a moved page");
		note_load(p);
		if (is_known(visible(p), 0) && word != visible(p)->word[0])
			FAIL("page %u of a moved mapping is not what it was", i);
	}
}

static unsigned kept_pages(const struct remap *r)
{
	return r->old < r->new ? r->old : r->new;
}

/* What the old range has too much; it goes first, also if the rest then cannot be moved. */
static void drop_surplus(const struct remap *r)
{
	for (unsigned i = kept_pages(r); i < r->old; i++)
		drop_page(&r->s->page[r->first + i]);
}

/* The pages of the mapping as they are after the call; those given up are dropped. */
static void take_pages(const struct remap *r, struct model_page *pages)
{
	struct model_page *old = &r->s->page[r->first];
	unsigned kept = kept_pages(r);

	if (r->old == 0) {
		for (unsigned i = 0; i < r->new; i++) {
			pages[i] = page_after(old, i);
			pages[i].flags |= is_device(old) ? 0 : r->s->future; /* a new map */
			pages[i].touched = MAYBE;
		}
		return;
	}
	drop_surplus(r);
	for (unsigned i = 0; i < kept; i++) {
		pages[i] = old[i];
		memset(&old[i], 0, sizeof old[i]);
	}
	for (unsigned i = kept; i < r->new; i++)
		pages[i] = page_after(&pages[0], i);
}

static void put_pages(
	struct draw *d, const struct remap *r, unsigned at, const struct model_page *pages)
{
	for (unsigned i = 0; i < r->new; i++) {
		drop_page(&r->s->page[at + i]);
		r->s->page[at + i] = pages[i];
	}
	if (r->new > r->old && is_locked(&pages[r->new - 1]))
		store_to_copied(d, r->s, at + r->old, r->new - r->old);
}

/* Far from where the model looks, and from where maps are placed. */
#define ELSEWHERE (BASE + ((mvm_vaddr_t)1 << 30))

/* Move a mapping that was placed outside of the window back into it. */
static void move_back(
	struct draw *d, const struct remap *r, mvm_vaddr_t from, struct model_page *pages)
{
	unsigned at = below(d, MAIN_PAGES - r->new + 1);
	mvm_vaddr_t to = address(at);
	struct mvm_limits none = no_limits();

	compare_moved(r, pages, from);
	mvm_space_set_limits(r->s->space, &none);
	if (from < to + bytes_of(r->new) && to < from + bytes_of(r->new)) {
		/* It lies across the end of what the model watches: by way of elsewhere. */
		mvm_vaddr_t far = ELSEWHERE;

		EXPECT(mvm_remap(r->s->space, from, bytes_of(r->new), bytes_of(r->new),
			       MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, &far),
			0, "remap elsewhere");
		from = far;
	}
	EXPECT(mvm_remap(r->s->space, from, bytes_of(r->new), bytes_of(r->new),
		       MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, &to),
		0, "remap back");
	EXPECT(to, address(at), "where remap put it back");
	mvm_space_set_limits(r->s->space, &r->s->limits);
	put_pages(d, r, at, pages);
}

/* What must come of it: 0, or the error. */
static int remap_result(const struct remap *r)
{
	const struct model_page *p = &r->s->page[r->first];
	bool fixed = r->flags & MVM_REMAP_FIXED, may_move = r->flags & MVM_REMAP_MAYMOVE;
	long grows = (long)r->new - r->old;
	int over;

	if (fixed && r->to < r->first + r->old && r->first < r->to + r->new)
		return MVM_EINVAL;
	if (p->kind == NONE)
		return MVM_EFAULT;
	if (r->old == 0 && (p->kind != SHARED || !may_move))
		return MVM_EINVAL;
	if (grows <= 0 && !fixed)
		return 0; /* whatever there is behind the first page */
	if (r->old && area_end(r->s, r->first) < r->first + kept_pages(r))
		return MVM_EFAULT;
	over = grows > 0 ? over_limit(r->s, p, grows) : 0;
	if (r->old == 0) {
		struct model_page map = *p;

		map.flags |= is_device(p) ? 0 : r->s->future;
		over = fixed ? map_limit(r->s, &map, r->to, r->new)
			     : over_limit(r->s, &map, r->new);
	}
	if (over)
		return over;
	if (fixed || may_move)
		return 0;
	return area_end(r->s, r->first) == r->first + r->old &&
			       is_free(r->s, r->first + r->old, (unsigned)grows)
		       ? 0
		       : MVM_ENOMEM;
}

static void some_remap(struct draw *d, struct remap *r)
{
	unsigned pages, left;

	r->s = some_space(d);
	r->first = some_page(d, r->s);
	pages = r->s->page[r->first].kind == NONE ? 1 : area_end(r->s, r->first) - r->first;
	r->old = below(d, 3) ? pages : below(d, pages + 2);
	r->new = below(d, 3) ? r->old + below(d, 12) : below(d, r->old + 1);
	r->new = r->new ? r->new : 1;
	r->flags = below(d, 3) ? MVM_REMAP_MAYMOVE : 0;
	r->flags |= r->flags && below(d, 2) ? MVM_REMAP_FIXED : 0;
	left = r->first < MAIN_PAGES ? MAIN_PAGES - r->first : PAGES - r->first;
	r->old = r->old > left ? left : r->old;
	r->new = r->new > left ? left : r->new;     /* it may grow where it is */
	if (r->s->page[r->first].kind >= PRIVATE) { /* the model's files end */
		unsigned end = is_device(&r->s->page[r->first]) ? DEVICE_PAGES : FILE_PAGES;

		left = end - r->s->page[r->first].index;
	}
	r->new = r->new > left ? left : r->new;
	r->to = below(d, MAIN_PAGES - (r->new < MAIN_PAGES ? r->new : MAIN_PAGES) + 1);
}

void op_remap(struct draw *d)
{
	struct remap r;
	struct model_page pages[PAGES];
	mvm_vaddr_t at;
	int want;

	some_remap(d, &r);
	if (r.first >= MAIN_PAGES && (r.new > r.old || r.flags || r.old == 0))
		return; /* stacks only shrink */
	want = remap_result(&r);
	at = address(r.to);
	note(r.s, r.first, r.old ? r.old : 1);
	SAY("  remap %u+%u to %u pages, flags %u, at %u: %d\n", r.first, r.old, r.new, r.flags,
		r.to, want);
	EXPECT(mvm_remap(r.s->space, address(r.first), bytes_of(r.old), bytes_of(r.new), r.flags,
		       &at),
		-want, "remap");
	if (want == MVM_EFAULT && r.flags & MVM_REMAP_FIXED && r.old)
		drop_surplus(&r);
	if (want)
		return;
	progress->accepted++;
	take_pages(&r, pages);
	if (r.flags & MVM_REMAP_FIXED)
		EXPECT(at, address(r.to), "where remap put it");
	if (at == address(r.first))
		put_pages(d, &r, r.first, pages);
	else if (at >= BASE && at + bytes_of(r.new) <= BASE + bytes_of(MAIN_PAGES))
		put_pages(d, &r, (unsigned)((at - BASE) >> MVM_PAGE_SHIFT), pages);
	else
		move_back(d, &r, at, pages);
}

void op_brk(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned end = below(d, MAIN_PAGES - HEAP + 1);
	unsigned low = end < s->heap ? end : s->heap,
		 n = end < s->heap ? s->heap - end : end - s->heap;
	struct model_page p = {
		.kind = ANON,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = s->future,
		.touched = s->future ? MAYBE : UNTOUCHED,
	};
	int want = 0;

	if (end > s->heap && (over_limit(s, &p, n) || !is_free(s, HEAP + low, n)))
		want = MVM_ENOMEM;
	note(s, HEAP + low, n);
	SAY("  brk %u -> %u: %d\n", s->heap, end, want);
	EXPECT(mvm_brk(s->space, address(HEAP), address(HEAP) + bytes_of(s->heap),
		       address(HEAP) + bytes_of(end)),
		-want, "brk");
	if (want)
		return;
	progress->accepted++;
	for (unsigned i = HEAP + low; i < HEAP + low + n; i++) {
		drop_page(&s->page[i]);
		if (end > s->heap)
			s->page[i] = p;
	}
	s->heap = end;
}

void op_limits(struct draw *d)
{
	struct model_space *s = some_space(d);

	s->limits = no_limits();
	if (!below(d, 3))
		s->limits.total = count_pages(s, is_mapped) + below(d, 40);
	if (!below(d, 3))
		s->limits.data = count_pages(s, is_data) + below(d, 30);
	if (!below(d, 3))
		s->limits.stack = 1 + below(d, STACK_PAGES);
	if (!below(d, 3))
		s->limits.locked = count_pages(s, is_locked) + below(d, 20);
	SAY("  total %ld data %ld stack %ld locked %ld\n", (long)s->limits.total,
		(long)s->limits.data, (long)s->limits.stack, (long)s->limits.locked);
	mvm_space_set_limits(s->space, &s->limits);
	progress->accepted++;
}

/* --- Advice ----------------------------------------------------------------------------------- */

static void set_flags(struct model_page *p, unsigned clear, unsigned set)
{
	p->flags = (p->flags & ~clear) | set;
	p->kept = p->kept && is_locked(p);
}

/* A page of the range is advised: 0, or what the call says, which then goes no further. */
static int advise_page(struct model_space *s, unsigned page, enum mvm_advice advice)
{
	struct model_page *p = &s->page[page];
	enum mvm_fault_result result;
	unsigned access = advice == MVM_ADVISE_POPULATE_READ ? MVM_READ : MVM_WRITE;

	switch (advice) {
	case MVM_ADVISE_NORMAL:
		set_flags(p, MVM_MAP_RANDOM | MVM_MAP_SEQUENTIAL, 0);
		return 0;
	case MVM_ADVISE_RANDOM:
		set_flags(p, MVM_MAP_SEQUENTIAL, MVM_MAP_RANDOM);
		return 0;
	case MVM_ADVISE_SEQUENTIAL:
		set_flags(p, MVM_MAP_RANDOM, MVM_MAP_SEQUENTIAL);
		return 0;
	case MVM_ADVISE_WILLNEED:
		return 0;
	case MVM_ADVISE_DONTNEED:
	case MVM_ADVISE_FREE:
		if (is_locked(p) || is_device(p) || (advice == MVM_ADVISE_FREE && p->kind != ANON))
			return MVM_EINVAL;
		drop_contents(p);
		return 0;
	case MVM_ADVISE_POPULATE_READ:
	case MVM_ADVISE_POPULATE_WRITE:
		if (is_device(p) || !(p->rights & access))
			return MVM_EINVAL;
		result = access_result(s, page, access);
		if (!result && access == MVM_WRITE)
			p->touched = TOUCHED;
		else if (!result)
			note_load(p);
		return result ? MVM_EFAULT : 0;
	case MVM_ADVISE_DONTFORK:
		set_flags(p, 0, MVM_MAP_DONTFORK);
		return 0;
	case MVM_ADVISE_DOFORK:
		set_flags(p, is_device(p) ? 0 : MVM_MAP_DONTFORK, 0);
		return is_device(p) ? MVM_EINVAL : 0;
	case MVM_ADVISE_WIPEONFORK:
		set_flags(p, 0, p->kind == ANON ? MVM_MAP_WIPEONFORK : 0);
		return p->kind == ANON ? 0 : MVM_EINVAL;
	case MVM_ADVISE_KEEPONFORK:
		set_flags(p, MVM_MAP_WIPEONFORK, 0);
		return 0;
	case MVM_ADVISE_HUGE:
		set_flags(p, 0, is_device(p) ? 0 : MVM_MAP_HUGE);
		return is_device(p) ? MVM_EINVAL : 0;
	case MVM_ADVISE_NOHUGE:
		if (p->flags & MVM_MAP_HUGE && p->touched == UNTOUCHED)
			p->touched = MAYBE; /* a neighbour was touched */
		set_flags(p, MVM_MAP_HUGE, 0);
		return 0;
	}
	return MVM_EINVAL;
}

void op_advise(struct draw *d)
{
	struct model_space *s = some_space(d);
	enum mvm_advice advice = below(d, MVM_ADVISE_NOHUGE + 1);
	bool populates = advice == MVM_ADVISE_POPULATE_READ || advice == MVM_ADVISE_POPULATE_WRITE;
	unsigned first, n;
	int want = 0, err = 0;

	some_range(d, &first, &n);
	note(s, first, n);
	for (unsigned i = first; i < first + n && !err; i++) {
		if (s->page[i].kind != NONE)
			err = advise_page(s, i, advice);
		else if (populates)
			err = MVM_ENOMEM;
		else
			want = MVM_ENOMEM;
	}
	want = err ? err : want;
	SAY("  advise %u+%u: %d: %d\n", first, n, advice, want);
	EXPECT(mvm_advise(s->space, address(first), bytes_of(n), advice), -want, "advise");
	progress->accepted += !want;
	if (advice == MVM_ADVISE_POPULATE_WRITE)
		store_to_copied(d, s, first, n);
}

/* --- What is in memory, and stays there ------------------------------------------------------- */

static void compare_incore(const struct model_page *p, unsigned char in)
{
	bool anon = p->copied || (p->kind == ANON && p->touched == TOUCHED);

	if (in > 1)
		FAIL("incore says %u", in);
	if (anon && !in)
		FAIL("a private page is not in memory");
	if (p->kind == ANON && p->touched == UNTOUCHED && !(p->flags & MVM_MAP_HUGE) && in)
		FAIL("a page that nobody stored to is in memory");
}

void op_incore(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned char in[PAGES];
	unsigned first, n;
	int want = 0;

	some_range(d, &first, &n);
	note(s, first, n);
	for (unsigned i = first; i < first + n; i++)
		want = s->page[i].kind == NONE ? MVM_ENOMEM : want;
	EXPECT(mvm_incore(s->space, address(first), n, in), -want, "incore");
	for (unsigned i = 0; i < n && !want; i++)
		compare_incore(&s->page[first + i], in[i]);
	progress->accepted += !want;
}

/*
 * What is in memory of the locked pages must stay; with `all`, they must all be there, but for
 * memory that was never stored to, and cannot be.
 */
static void keep_pages(struct model_space *s, unsigned first, unsigned n, bool all)
{
	for (unsigned i = first; i < first + n; i++) {
		struct model_page *p = &s->page[i];
		unsigned char in;

		if (!is_locked(p))
			continue;
		EXPECT(mvm_incore(s->space, address(i), 1, &in), 0, "incore of a locked page");
		if (all && !in && (p->kind != ANON || p->rights & MVM_WRITE))
			FAIL("page %u was locked and is not in memory", i);
		p->kept = in;
	}
}

static bool is_lockable(const struct model_page *p)
{
	return p->kind != NONE && !is_device(p); /* a device's cannot leave memory */
}

/* Lock pages up to the first hole. */
static int lock_pages(struct model_space *s, unsigned first, unsigned n, bool onfault)
{
	int want = 0;

	for (unsigned i = first; i < first + n; i++) {
		struct model_page *p = &s->page[i];

		if (p->kind == NONE)
			return MVM_ENOMEM;
		if (!is_lockable(p))
			continue;
		set_flags(p, MVM_MAP_LOCKONFAULT,
			MVM_MAP_LOCKED | (onfault ? MVM_MAP_LOCKONFAULT : 0));
		if (!onfault && p->kind != ANON && !p->copied && past_size(p))
			want = MVM_ENOMEM;
	}
	return want;
}

void op_lock(struct draw *d)
{
	struct model_space *s = some_space(d);
	bool onfault = below(d, 2), unreadable = false;
	size_t locked = count_pages(s, is_locked);
	unsigned first, n;
	int want, err;

	some_range(d, &first, &n);
	for (unsigned i = first; i < first + n; i++) {
		locked += is_lockable(&s->page[i]) && !is_locked(&s->page[i]);
		unreadable |= is_lockable(&s->page[i]) && !(s->page[i].rights & MVM_READ);
	}
	note(s, first, n);
	want = locked > s->limits.locked ? MVM_ENOMEM : lock_pages(s, first, n, onfault);
	SAY("  mlock %u+%u%s: %d\n", first, n, onfault ? " on fault" : "", want);
	err = mvm_mlock(s->space, address(first), bytes_of(n), onfault);
	if (!onfault && unreadable && !want)
		want = err ? MVM_ENOMEM : 0; /* pages that nobody may read: nobody's promise */
	EXPECT(err, -want, "mlock");
	progress->accepted += !want;
	if (onfault)
		return;
	store_to_copied(d, s, first, n);
	keep_pages(s, first, n, !want && !unreadable);
}

void op_unlock(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned first, n, i;

	some_range(d, &first, &n);
	note(s, first, n);
	for (i = first; i < first + n && s->page[i].kind != NONE; i++)
		set_flags(&s->page[i], MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT, 0);
	SAY("  munlock %u+%u\n", first, n);
	EXPECT(mvm_munlock(s->space, address(first), bytes_of(n)), i < first + n ? -MVM_ENOMEM : 0,
		"munlock");
	progress->accepted += i == first + n;
}

void op_lock_all(struct draw *d)
{
	struct model_space *s = some_space(d);
	unsigned flags = below(d, 8), locked = MVM_MAP_LOCKED;
	int want = 0;

	note(s, 0, PAGES);
	if (below(d, 2)) {
		mvm_munlockall(s->space);
		for (unsigned i = 0; i < PAGES; i++)
			set_flags(&s->page[i], MVM_MAP_LOCKED | MVM_MAP_LOCKONFAULT, 0);
		s->future = 0;
		progress->accepted++;
		return;
	}
	if (!(flags & (MVM_LOCK_CURRENT | MVM_LOCK_FUTURE)))
		want = MVM_EINVAL;
	else if (flags & MVM_LOCK_CURRENT && count_pages(s, is_lockable) > s->limits.locked)
		want = MVM_ENOMEM;
	SAY("  mlockall %u: %d\n", flags, want);
	EXPECT(mvm_mlockall(s->space, flags), -want, "mlockall");
	if (want)
		return;
	progress->accepted++;
	locked |= flags & MVM_LOCK_ONFAULT ? MVM_MAP_LOCKONFAULT : 0;
	s->future = flags & MVM_LOCK_FUTURE ? locked : 0;
	for (unsigned i = 0; i < PAGES && flags & MVM_LOCK_CURRENT; i++) {
		if (is_lockable(&s->page[i]))
			set_flags(&s->page[i], MVM_MAP_LOCKONFAULT, locked);
	}
	if (flags & MVM_LOCK_CURRENT && !(flags & MVM_LOCK_ONFAULT)) {
		store_to_copied(d, s, 0, PAGES);
		keep_pages(s, 0, PAGES, false);
	}
}
