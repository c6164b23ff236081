// SPDX-License-Identifier: MIT
/*
 * What the simulated programs do their work on, and what must come out of it.
 *
 * A view is a space and what the simulator knows of VIEW_PAGES pages of it.  Each page is of one
 * kind for ever, whatever is mapped and unmapped there, and has two words that programs load and
 * store.  Theory at the head of world.c.
 */
#pragma once

#include "file.h"

#define VIEWS      8
#define VIEW_PAGES 32
#define WORDS      2

/* The first page of the view; a leaf of the anon tree ends in it, and a node of 64 pages. */
#define VIEW_BASE 312

enum kind { KIND_ANON, KIND_SHARED, KIND_PRIVATE };

/* What a word may hold: see world.c. */
struct cell {
	enum certainty { KNOWN, FORKED, LOOSE } certainty;
	uint32_t value;  /* KNOWN: the number of the store; 0: zeros.  FORKED: the last possible */
	uint32_t first;  /* FORKED: the first possible */
	struct cut *cut; /* FORKED: of that fork */
	unsigned disturbance; /* of files: calls under way that may change it */
};

struct view_page {
	enum kind kind;
	unsigned file, index; /* SHARED, PRIVATE */

	/* What an access comes to; in doubt while calls are under way, or after two at once. */
	bool mapped, doubtful;
	unsigned rights;
	unsigned calls, version;
	/*
	 * Mapped read-write all the time; calls after which it may not be: under
	 * way, and so far.
	 */
	bool solid;
	unsigned holes, cracks;

	/* The contents; disturbed while a call may take them away. */
	unsigned disturbance, changes;
	unsigned cuts; /* of the disturbances: truncates */
	bool copied;   /* PRIVATE: it certainly has a copy of its own */
	struct cell cells[WORDS];

	/*
	 * Holds, now and so far: others than harts may store, and a fork copies the
	 * page at once.
	 */
	unsigned held, holds;
	/* What a fork's child has of it, and the calls that change that: under way, and so far. */
	enum fork_mark { MARK_NONE, MARK_WIPE, MARK_DONT } mark;
	unsigned marking, marks;
};

struct view {
	struct mvm_space *space;
	bool taken;
	unsigned life; /* a number of its own */
	uint32_t born; /* by a fork, after this store */
	struct view_page pages[VIEW_PAGES];
};

extern struct view views[VIEWS];

/* No views, and nothing stored yet. */
void world_begin(void);

/*
 * A view of a new space, or one that is still to get a space; nothing is mapped.  Pages 0 to 15 are
 * anonymous, then come the pages of file 0 shared, then the same private.
 */
struct view *view_new(void);
struct view *view_unused(void);

static inline mvm_vaddr_t view_va(unsigned page)
{
	return (mvm_vaddr_t)(VIEW_BASE + page) << MVM_PAGE_SHIFT;
}

/* --- What calls do to what is known ----------------------------------------------------------- */

/* What a call is about to change. */
enum effect_kind {
	EFFECT_RIGHTS,    /* what accesses come to */
	EFFECT_CONTENTS,  /* what is in the pages */
	EFFECT_MAPPING,   /* both */
	EFFECT_UNMAPPING, /* accesses come to nothing; those that still reach the pages find them */
};

struct effect {
	struct view *view;
	unsigned life;
	unsigned first, end; /* pages [first, end) of the view */
	enum effect_kind kind;
	bool holes;                   /* the pages may not be mapped read-write any more */
	const struct view_page *kept; /* MAPPING: contents are these afterwards, not fresh */
	unsigned version[VIEW_PAGES], changes[VIEW_PAGES], cracks[VIEW_PAGES];
};

void effect_begin(
	struct effect *e, struct view *view, unsigned first, unsigned end, enum effect_kind kind);

/* The same for a call that puts one read-write mapping in the place of another. */
void effect_begin_replace(struct effect *e, struct view *view, unsigned first, unsigned end);

/* The same for calls that move the pages away and back; `kept` gets what they are now. */
void effect_begin_move(
	struct effect *e, struct view *view, unsigned first, unsigned end, struct view_page *kept);

/*
 * The call has ended.  If it did what it should (`sure`), and nobody else was at work on them, the
 * pages are mapped so (RIGHTS, MAPPING) and their contents fresh (CONTENTS, MAPPING).
 */
void effect_end(struct effect *e, bool sure, bool mapped, unsigned rights);

/* A fork of one view into another: the child's pages are the parent's at one moment. */
struct fork_effect {
	struct view *parent;
	struct cut *cut;
	unsigned version[VIEW_PAGES], changes[VIEW_PAGES];
	unsigned holds[VIEW_PAGES], marks[VIEW_PAGES];
	bool copied[VIEW_PAGES];
	struct cell before[VIEW_PAGES][WORDS];
};

/* A call changes what forks do with the pages [first, end). */
void mark_begin(struct view *view, unsigned first, unsigned end);
void mark_end(struct view *view, unsigned first, unsigned end, enum fork_mark mark);

void fork_begin(struct fork_effect *e, struct view *parent);
void fork_end(struct fork_effect *e, struct view *child);

/* A truncate of the file to `index` pages takes all views' private copies behind that away. */
struct cut_effect {
	unsigned file, index;
	struct effect effects[VIEWS];
};

void cut_begin(struct cut_effect *e, unsigned file, unsigned index);
void cut_end(struct cut_effect *e);

/*
 * Words [first, end) of a file (page * WORDS + word) may change by themselves, until they are
 * settled, as zeros or as whatever is there: zeros, too, or a store later than `since`.
 */
void file_disturb(unsigned file, unsigned first, unsigned end);
void file_since(unsigned file, unsigned first, unsigned end, uint32_t since);
void file_settle(unsigned file, unsigned first, unsigned end);
void file_settle_zeros(unsigned file, unsigned first, unsigned end);

/* The last store that was made. */
uint32_t last_store(void);

/* The size of the file changes, and then is so many words. */
void file_resize_begin(unsigned file);
void file_resize_end(unsigned file, unsigned words);
unsigned file_words(unsigned file);

/* --- Accesses, checked ------------------------------------------------------------------------ */

void view_store(struct view *view, unsigned page, unsigned word);
void view_load(struct view *view, unsigned page, unsigned word);

/*
 * A word of the file, at the instant of a copy by write(2) or read(2).  A read that began before a
 * punch has ended (file_changes() was another then) may show what was there before.
 */
uint64_t file_word_store(unsigned file, unsigned index, unsigned word);
void file_word_load(unsigned file, unsigned index, unsigned word, uint64_t value, unsigned changes);
unsigned file_changes(unsigned file);

/* All has been written back: the disk holds the file's words. */
void file_check_disk(unsigned file);

/* A store by someone other than a hart, at this instant, to memory that is held. */
uint64_t view_word_store(struct view *view, unsigned page, unsigned word);
void view_word_load(struct view *view, unsigned page, unsigned word, uint64_t value);

/* What the kernel has read for somebody some time ago. */
void view_word_seen(struct view *view, unsigned page, uint64_t value);

/* The kernel stores to a word for somebody, at an unknown instant before the end. */
struct uncertain {
	struct view_page *page;
	struct cell *cell;
	uint32_t number;
	unsigned changes;
};
uint64_t uncertain_begin(struct uncertain *u, struct view *view, unsigned page, unsigned word);
void uncertain_end(struct uncertain *u, bool done);

/* The offset of a word in its page. */
static inline unsigned word_offset(unsigned word)
{
	return word ? MVM_PAGE_BYTES - 16 : 8;
}
