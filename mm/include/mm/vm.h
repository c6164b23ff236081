// SPDX-License-Identifier: MIT
/*
 * What mm offers to a host kernel: spaces, the calls that shape them, and faults.
 *
 * Every function returns 0 or a negative MVM_E... unless its comment says otherwise, may sleep,
 * and is called with no lock of mm held and no host lock that an upcall (a hook, a pager) could
 * want: in particular no lock of a file system (the copies of mm/pagecache.h excepted) and no
 * spin lock.  Any number of threads may call into one space at once.
 *
 * Addresses and lengths are bytes; ranges are [start, end) with start and end on page boundaries
 * unless a comment says otherwise.  A call that fails leaves the space as it was, unless its
 * comment says otherwise.
 */
#pragma once

#include <mm/error.h>
#include <mm/pager.h>
#include <mm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every incompatible change of a public header; docs/porting.md says what each was. */
#define MVM_VERSION 4

struct mvm_space;
struct mvmh_pmap;

/* --- Life ---------------------------------------------------------------------------------- */

/*
 * Once, before anything else, on one hart, when the host has frames: one of them is taken, for
 * good, the page of zeros.  0 or -MVM_ENOMEM.
 */
int mvm_init(void) MVM_MUST_CHECK;

/* An empty space for addresses [low, high). -MVM_ENOMEM. */
int mvm_space_new(mvm_vaddr_t low, mvm_vaddr_t high, struct mvm_space **out) MVM_MUST_CHECK;

/*
 * A copy of the space: private memory copy-on-write, shared mappings shared.  Map calls and
 * faults that would copy wait until the parent's entries are write-protected everywhere; other
 * threads of the parent go on otherwise.  -MVM_ENOMEM: no child, parent unchanged.
 */
int mvm_space_fork(struct mvm_space *parent, struct mvm_space **child) MVM_MUST_CHECK;

/*
 * References.  The last mvm_space_unref() unmaps everything (dirty file pages go to the cache and
 * their write-back is started, not awaited) and frees the space.  No hart may use it then, the
 * calling one included: switch to other tables first.
 */
void mvm_space_ref(struct mvm_space *space);
void mvm_space_unref(struct mvm_space *space);

/*
 * Unmap everything now although references remain; further maps and faults fail (a process that
 * died while a debugger looks on).
 */
void mvm_space_kill(struct mvm_space *space);

/* The host's tables, to switch to. */
struct mvmh_pmap *mvm_space_pmap(struct mvm_space *space);

/* --- Limits -------------------------------------------------------------------------------- */

/*
 * What a space may have, also while any number of calls are under way.  A call that would pass one
 * fails before it changes anything, but for those that go from area to area (mvm_protect,
 * mvm_advise, mvm_mlock, mvm_munlock): when one more would pass `data` or `areas`, those before
 * have changed.  Growth of a stack past a limit is a fault that ends as MVM_FAULT_MAPERR.  What is
 * there already stays when a limit is lowered.  In pages, except `areas`.
 */
struct mvm_limits {
	size_t total;  /* all areas together (RLIMIT_AS) */
	size_t data;   /* private writable areas that are no stacks (RLIMIT_DATA) */
	size_t stack;  /* what one GROWSDOWN area may span when it grows (RLIMIT_STACK) */
	size_t locked; /* areas under MVM_MAP_LOCKED (RLIMIT_MEMLOCK) */
	size_t areas;  /* how many there are: their structures are the host's memory */
};
#define MVM_NO_LIMIT SIZE_MAX

/* A new space has no limits; a fork inherits the parent's. */
void mvm_space_set_limits(struct mvm_space *space, const struct mvm_limits *limits);

/*
 * --- The map calls -------------------------------------------------------------------------
 *
 * A call waits until others that change the same range have ended, and one that looks for a place,
 * if there is none but where others are at work.  These waits cannot be killed: no call that is
 * waited for waits for anything but memory, or for harts to forget translations.
 */

enum mvm_map_flags {
	MVM_MAP_SHARED = 1 << 0,          /* stores reach the object; else copy-on-write */
	MVM_MAP_FIXED = 1 << 1,           /* at addr, replacing what is there */
	MVM_MAP_FIXED_NOREPLACE = 1 << 2, /* at addr, -MVM_EEXIST if anything is there */
	MVM_MAP_GROWSDOWN = 1 << 3,       /* a stack: grows down on faults, up to the limit */
	MVM_MAP_POPULATE = 1 << 4,        /* prefault; failure to do so is no failure of the call */
	MVM_MAP_NORESERVE = 1 << 5,       /* noted only */

	MVM_MAP_LOCKED = 1 << 6,      /* as if mvm_mlock() followed; prefaulted like POPULATE */
	MVM_MAP_LOCKONFAULT = 1 << 7, /* with LOCKED: not prefaulted */

	/* Advice: mvm_advise() gives it, struct mvm_area_info shows it. */
	MVM_MAP_RANDOM = 1 << 8,
	MVM_MAP_SEQUENTIAL = 1 << 9,
	MVM_MAP_DONTFORK = 1 << 10,
	MVM_MAP_WIPEONFORK = 1 << 11,
	MVM_MAP_HUGE = 1 << 12,
};

struct mvm_map {
	mvm_vaddr_t addr; /* in: hint, or the place with FIXED; out: where it is */
	size_t bytes;     /* rounded up to pages; not 0 */
	unsigned rights, max_rights;
	unsigned flags;
	struct mvm_object *object; /* NULL: private anonymous.  mm takes its own reference. */
	mvm_pgoff_t offset_pages;  /* of addr in the object */
};

/*
 * Map.  -MVM_EINVAL (bytes 0, FIXED and not on a page boundary, SHARED without an object),
 * -MVM_ENOMEM (no place, outside the space, a limit), -MVM_EAGAIN (the limit of locked pages),
 * -MVM_EEXIST, -MVM_EACCES (rights beyond max_rights), -MVM_EPERM (SHARED, and the object is
 * frozen, see pager.h), -MVM_EFBIG (offset and length overflow).  Nothing is read, no frame is
 * taken, unless POPULATE or LOCKED.  Shared anonymous memory is an object of its own
 * (mvm_object_new_shared_anon).
 */
int mvm_map(struct mvm_space *space, struct mvm_map *map) MVM_MUST_CHECK;

/*
 * Unmap [addr, addr + bytes), holes included.  -MVM_EINVAL; -MVM_ENOMEM when splitting an area
 * needs memory that is not there, or would make one area too many.  Returns after the last stale
 * translation is gone.
 */
int mvm_unmap(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes) MVM_MUST_CHECK;

/*
 * Set rights.  -MVM_ENOMEM: part of the range is not mapped, or no memory, or a limit; -MVM_EACCES:
 * beyond an area's maximum rights; as Linux does it, areas before that place have changed.
 * -MVM_EINVAL: boundaries, or the range goes round the end of all addresses (as in the calls
 * below).
 */
int mvm_protect(
	struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned rights) MVM_MUST_CHECK;

enum mvm_remap_flags {
	MVM_REMAP_MAYMOVE = 1 << 0,
	MVM_REMAP_FIXED = 1 << 1, /* with MAYMOVE: to *new_addr, replacing what is there */
};

/*
 * Change the size of the mapping [addr, addr + old_bytes); move it when it cannot grow where it is
 * and MAYMOVE allows, its private pages with it (no page is copied).  It lies in one area, but for
 * what it shrinks by: that is unmapped, whatever is there.
 * old_bytes 0 maps a shared mapping's pages a second time and needs MAYMOVE.  *new_addr: in, the
 * place with FIXED; out, where the mapping is.  Lengths are rounded up to pages.  A locked area's
 * new part is prefaulted; failure to do so is no failure.  mremap(2).  -MVM_EINVAL (boundaries,
 * flags, the two ranges overlap, new_bytes 0, old_bytes 0 of a private mapping or without MAYMOVE);
 * -MVM_EFAULT (the old range is not in one area, or grows past its object's largest index);
 * -MVM_ENOMEM (no room, no memory, a limit); -MVM_EAGAIN (the limit of locked pages).  With FIXED a
 * failure may come after what was at the new place, or what the old one shrinks by, is gone;
 * otherwise nothing has changed.
 */
int mvm_remap(struct mvm_space *space, mvm_vaddr_t addr, size_t old_bytes, size_t new_bytes,
	unsigned flags, mvm_vaddr_t *new_addr) MVM_MUST_CHECK;

enum { MVM_SYNC_WAIT = 1, MVM_SYNC_INVALIDATE = 2 };

/*
 * Write back the dirty pages of the shared objects mapped in the range and, with WAIT, wait.
 * The file system's own commit (fsync) is the host's to call through `commit` for each of them
 * that has anything to be written to, with nothing held; NULL where there is none.  INVALIDATE
 * changes nothing, since all see the same pages, but finds locked areas: -MVM_EBUSY.  -MVM_ENOMEM
 * for holes (after doing the rest), -MVM_EIO.
 */
int mvm_sync(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned flags,
	int (*commit)(struct mvm_object *obj)) MVM_MUST_CHECK;

/* Grow or shrink the heap area from `start`; `old_end` is what the host holds as its end.
 * Page-granular ends.  -MVM_ENOMEM: something is in the way, or a limit. */
int mvm_brk(struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t old_end,
	mvm_vaddr_t new_end) MVM_MUST_CHECK;

/* --- Advice, residency, locking (mm/modules) -------------------------------------------------- */

enum mvm_advice {
	MVM_ADVISE_NORMAL,     /* of areas: readahead as the object's history has it */
	MVM_ADVISE_RANDOM,     /* of areas: none, and no fault-around */
	MVM_ADVISE_SEQUENTIAL, /* of areas: the longest */
	MVM_ADVISE_WILLNEED,   /* begin to read what is absent */
	MVM_ADVISE_DONTNEED,   /* drop private pages, forget translations of shared ones */
	MVM_ADVISE_FREE, /* private pages' contents may be lost any time before the next store */
	MVM_ADVISE_POPULATE_READ,  /* prefault, as loads would */
	MVM_ADVISE_POPULATE_WRITE, /* as stores would */
	MVM_ADVISE_DONTFORK,       /* of areas: a fork's child has no such area */
	MVM_ADVISE_DOFORK,
	MVM_ADVISE_WIPEONFORK, /* of areas: a fork's child finds zeros; private anonymous only */
	MVM_ADVISE_KEEPONFORK,
	MVM_ADVISE_HUGE, /* of areas: private anonymous memory is filled by large pages (large.c) */
	MVM_ADVISE_NOHUGE,
};

/*
 * madvise(2).  Goes through the whole range; holes are skipped and make it -MVM_ENOMEM at the end
 * (POPULATE ends there).  -MVM_EINVAL: boundaries; DONTNEED or FREE on a locked area;
 * DONTNEED, FREE, DOFORK, HUGE or POPULATE on a device; FREE and WIPEONFORK on anything but private
 * anonymous memory; POPULATE without the right.
 * -MVM_EFAULT: POPULATE met what would be SIGBUS.  -MVM_ENOMEM, also for one area too many;
 * -MVM_EINTR.  Areas before the failure have changed.
 */
int mvm_advise(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes,
	enum mvm_advice advice) MVM_MUST_CHECK;

/*
 * Which pages of the `pages` pages from addr on are in memory, a byte each, 1 or 0: private ones in
 * the space, others in their object's cache.  The page of zeros that loads find where nothing was
 * stored is nobody's, and counts as none.  mincore(2).  -MVM_EINVAL; -MVM_ENOMEM: a hole
 * (`resident` is then undefined).
 */
int mvm_incore(struct mvm_space *space, mvm_vaddr_t addr, size_t pages,
	unsigned char *resident) MVM_MUST_CHECK;

/*
 * Lock the areas of the range: their pages are brought in (unless ONFAULT) and reclaim leaves them.
 * Translations may still be forgotten and come back.  mlock2(2).
 * -MVM_ENOMEM: the limit of locked pages (nothing has changed), a hole or one area too many
 * (areas before are locked), or a page that an access could not have; -MVM_EAGAIN: no memory for a
 * page (the areas stay locked); -MVM_EINVAL; -MVM_EINTR.  Devices are passed by.
 */
int mvm_mlock(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, bool onfault) MVM_MUST_CHECK;

/* -MVM_ENOMEM: a hole, or one area too many (areas before are unlocked); -MVM_EINVAL. */
int mvm_munlock(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes) MVM_MUST_CHECK;

enum { MVM_LOCK_CURRENT = 1, MVM_LOCK_FUTURE = 2, MVM_LOCK_ONFAULT = 4 };

/*
 * Lock all areas there are (CURRENT), and those to come (FUTURE: until the next call of this or of
 * mvm_munlockall(); a fork's child does not inherit it).  mlockall(2).  What cannot be brought in
 * is no failure.  -MVM_ENOMEM: the limit (nothing has changed); -MVM_EINVAL: flags.
 */
int mvm_mlockall(struct mvm_space *space, unsigned flags) MVM_MUST_CHECK;
void mvm_munlockall(struct mvm_space *space);

/* --- Faults -------------------------------------------------------------------------------- */

/* How a fault ends.  Everything but OK is a signal for the thread. */
enum mvm_fault_result {
	MVM_FAULT_OK,
	MVM_FAULT_MAPERR, /* SIGSEGV: no area there, or the space is dying */
	MVM_FAULT_ACCERR, /* SIGSEGV: the area forbids this access */
	MVM_FAULT_BUS,    /* SIGBUS: past the object's size, an I/O error, no space */
	MVM_FAULT_NOMEM,  /* no memory even after reclaim: the host decides who dies */
	MVM_FAULT_KILLED, /* the thread must die; let it */
};

/*
 * Handle a fault at va (any byte).  `access` is one of MVM_READ, MVM_WRITE, MVM_EXEC.  After a
 * failure memory reads as before; what was made on the way may stay: a stack's area that reaches
 * down to va, and the space's own copy of a private page, so that what is later written to the file
 * is not seen there.
 */
enum mvm_fault_result mvm_fault(struct mvm_space *space, mvm_vaddr_t va, unsigned access);

/*
 * Make [va, va + bytes) present for the access, as faults would.  Any byte addresses.
 * -MVM_EFAULT where a fault would be a signal; -MVM_EINTR: the thread must die (mvmh_wait,
 * mvmh_killed).  What was made present until then stays.
 */
int mvm_prefault(
	struct mvm_space *space, mvm_vaddr_t va, size_t bytes, unsigned access) MVM_MUST_CHECK;

/*
 * Read or write another space's memory (exec's arguments, a debugger).  Any byte addresses;
 * `access` rights are checked against the areas, unless `force`, which writes private copies of
 * read-only areas.  -MVM_EFAULT after a partial copy.
 */
int mvm_space_read(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t bytes) MVM_MUST_CHECK;
int mvm_space_write(struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t bytes,
	bool force) MVM_MUST_CHECK;

/*
 * Pin the page at va for I/O or a futex, present and (for MVM_WRITE) exclusive; fork copies held
 * pages at once.  mvm_release() undoes one hold.
 *
 * A page of a shared file mapping may be written back while it is held, and what is stored after
 * that would be lost: the release of a hold for MVM_WRITE makes it dirty again.  0; -MVM_ENOSPC,
 * -MVM_EIO: the pager would not have it, what was stored since the write-back may be lost.
 */
struct mvm_hold {
	struct mvm_space *space;
	struct mvm_page *page;     /* mm's; NULL: of a device, or the page of zeros (READ) */
	struct mvm_object *object; /* mm's; referenced: to be dirty on release; or NULL */
	mvm_frame_t frame;         /* for the I/O: always the one to use */
	bool shared;               /* with a fork: nobody stores to the page meanwhile */
};
int mvm_hold(struct mvm_space *space, mvm_vaddr_t va, unsigned access,
	struct mvm_hold *hold) MVM_MUST_CHECK;
int mvm_release(struct mvm_hold *hold);

/*
 * The identity of a word of memory, equal for all who share it: object and byte offset for
 * shared mappings, space and address for private ones.  It is nobody else's while the caller keeps
 * the object, or the space.  -MVM_EFAULT: nothing is mapped there.
 */
struct mvm_key {
	const void *what;
	uint64_t where;
	struct mvm_object *object; /* referenced: the caller unrefs it; NULL: private memory */
};
int mvm_futex_key(struct mvm_space *space, mvm_vaddr_t va, struct mvm_key *key) MVM_MUST_CHECK;

/* --- Memory pressure ----------------------------------------------------------------------- */

/*
 * Try to free `want` frames: clean cached pages first, by the replacement policy; dirty ones are
 * written back and become candidates later.  Returns how many were freed.  Called by mm itself on
 * failure, and by the host's reclaim thread when free frames run low.
 */
size_t mvm_reclaim(size_t want);

/*
 * Write back what is dirty in all objects that have been so for at least age_ns (0: all), and
 * wait if asked to.  For the host's write-back thread and for sync(2).
 */
int mvm_writeback(uint64_t age_ns, bool wait) MVM_MUST_CHECK;

/* --- Looking ------------------------------------------------------------------------------- */

struct mvm_area_info {
	mvm_vaddr_t start, end;
	unsigned rights, max_rights, flags;
	struct mvm_object *object; /* referenced: the caller unrefs it; NULL: anonymous */
	mvm_pgoff_t offset_pages;
};

/*
 * The first area that ends above `from`.  False when there is none.  Takes the space's lock for
 * the one lookup: a walk sees each area that is there throughout.
 */
bool mvm_area_next(struct mvm_space *space, mvm_vaddr_t from, struct mvm_area_info *info);

/*
 * What of [start, end) is in memory and mapped (where the host cannot say what is mapped, see
 * mvmh_pmap_query, all that is in memory).  In pages, devices left out.  `shared`: reached by
 * another space or area too, through an anon that fork shares or by an area that covers the
 * object's page.
 */
struct mvm_residency {
	size_t resident, anon, shared_clean, shared_dirty, private_clean, private_dirty;
	size_t used;    /* since reclaim last looked; private pages always are */
	uint64_t share; /* bytes: the sum of a page's size divided by how many reach it */
	uint64_t share_dirty, share_anon; /* of that */
	uint64_t share_kept;              /* and that: of objects whose pages are nowhere else */
	size_t large;                     /* of anon: in entries of more than one page */
};
void mvm_residency(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, struct mvm_residency *out);

/* The entry of the translation and the state of the page at va as one line of text, for the
 * report of a fatal fault.  Returns the length, cut to `bytes`. */
size_t mvm_describe(struct mvm_space *space, mvm_vaddr_t va, char *text, size_t bytes);

struct mvm_space_stats {
	uint64_t areas, mapped_pages, peak_mapped_pages, data_pages, stack_pages, locked_pages;
	uint64_t anon_pages, faults, major_faults;
};
void mvm_space_stats(struct mvm_space *space, struct mvm_space_stats *out);

/*
 * How many pages that are nowhere else (kept_pages) its shared areas reach: what comes back with it
 * if no other space and no open file holds them. Each area counts for itself. Takes the space's
 * lock once an area.
 */
uint64_t mvm_space_kept_pages(struct mvm_space *space);

struct mvm_stats {
	uint64_t free_frames, total_frames;
	uint64_t anon_pages, cached_pages, dirty_pages, writeback_pages, meta_pages;
	uint64_t kept_pages; /* cached, changed, and nowhere else: shared anonymous memory, tmpfs */
	uint64_t faults, major_faults, cow_copies, cow_reuses, zero_fills, fault_retries;
	uint64_t fills, filled_pages, writes, written_pages;
	uint64_t reclaim_scanned, reclaim_freed;
	uint64_t reclaim_direct; /* times that somebody had to reclaim for want of a frame */
	uint64_t throttled;      /* times that somebody had to write before making a page dirty */
	uint64_t shootdowns;     /* batches of translations removed or reduced */
	uint64_t spaces, areas, objects; /* a space may keep one area more than it has */
};
void mvm_stats(struct mvm_stats *out);

/* --- Tracing ------------------------------------------------------------------------------- */

/* Stable numbers: the schema's version rises when one changes its meaning. */
#define MVM_TRACE_VERSION 1
enum mvm_trace_event {
	MVM_TRACE_MAP = 1,   /* a: end	     b: rights, flags */
	MVM_TRACE_UNMAP,     /* a: end */
	MVM_TRACE_PROTECT,   /* a: end	     b: rights */
	MVM_TRACE_FAULT,     /* a: access: a fault begins ("trap") */
	MVM_TRACE_AREA,      /* a: start     b: end: the area that was found */
	MVM_TRACE_ANON,      /* a: frame: the anon layer has the page */
	MVM_TRACE_OBJECT,    /* a: index     b: frame or MVM_NO_FRAME: the object was asked */
	MVM_TRACE_FILL,      /* a: index     b: pages: the pager reads */
	MVM_TRACE_ZERO,      /* a: frame */
	MVM_TRACE_COPY,      /* a: from	     b: to */
	MVM_TRACE_WRITABLE,  /* a: index     b: error: make_writable */
	MVM_TRACE_PTE,       /* a: frame     b: rights: installed */
	MVM_TRACE_RETRY,     /* a: reason */
	MVM_TRACE_FAULT_END, /* a: enum mvm_fault_result  b: nanoseconds */
	MVM_TRACE_EVICT,     /* a: index     b: frame */
	MVM_TRACE_WRITEBACK, /* a: index     b: pages */
	MVM_TRACE_SHOOTDOWN, /* a: all of the space?  Harts are made to forget a batch */
	MVM_TRACE_FORK,      /* a: the child's tag */
};

struct mvm_trace_record {
	uint64_t time_ns;
	uint16_t event, hart;
	uint32_t tag; /* the space's, set by the host (a process id) */
	uint64_t va, a, b;
};

/* The number that marks the space's records; inherited by fork until set again. */
void mvm_space_set_tag(struct mvm_space *space, uint32_t tag);

/* Which spaces are traced (inherited by fork). */
void mvm_trace_enable(struct mvm_space *space, bool on);

/*
 * Take up to n records, oldest first; *lost counts those overwritten since the last call.  Returns
 * how many.
 */
size_t mvm_trace_read(struct mvm_trace_record *to, size_t n, uint64_t *lost);

/* --- Proving ------------------------------------------------------------------------------- */

/* Check every invariant of a space, and of all mm, while nobody else is at work in it; panics
 * through the host on a broken one. */
void mvm_check_space(struct mvm_space *space);
void mvm_check(void);

/*
 * A conformance run for a new host, to be called at boot after mvm_init().  Reports each check
 * through mvmh_log(); returns how many failed.
 */
unsigned mvm_host_selftest(void);

#ifdef __cplusplus
}
#endif
