// SPDX-License-Identifier: MIT
/*
 * A part of mm: what stands in for the rest.
 *
 * A host may grow in stages (docs/porting.md): private anonymous memory; fork; private files;
 * shared write-back; reclaim.  At stage n it links the files of the stages up to n
 * (tools/check/stages lists them), and this one, all compiled with -DMVM_STAGE=n.  The files that
 * are there call what is not there yet; here that does nothing where nothing is right, and stops
 * where the host has gone further than its stage, for example with an object before there are
 * objects.
 */
#include "../ahead.h"
#include "../fault.h"
#include "../object.h"
#include "../reclaim.h"
#include "../writeback.h"

#include <mm/vm.h>

#define NOT_YET(stage) mvmh_panic("mm: this is part of stage " #stage)

/* --- Without reclaim: who lacks memory has none ----------------------------------------------- */

#if MVM_STAGE < 5
size_t mvm_reclaim(size_t want)
{
	(void)want;
	return 0;
}

void reclaim_init(void)
{
}

void queue_check(void)
{
}

void queue_add(struct mvm_page *page)
{
	(void)page;
}

void queue_remove(struct mvm_page *page)
{
	(void)page;
}
#endif

/* --- Without write-back: no page that could be written may become dirty ----------------------- */

#if MVM_STAGE < 4
void writeback_init(void)
{
}

void writeback_urgent(struct mvm_object *obj)
{
	(void)obj;
}

bool writeback_due(void)
{
	return false;
}

void writeback_balance(struct mvm_object *obj)
{
	(void)obj;
}

void writeback_pay(struct mvm_object *obj)
{
	mvm_object_unref(obj);
}

void writeback_count(long pages)
{
	(void)pages;
}

void writeback_check(uint64_t unclean_n)
{
	(void)unclean_n;
}

void unclean_list_move(struct mvm_object *obj, bool on)
{
	(void)obj, (void)on;
	NOT_YET(4);
}
#endif

/* --- Without files: no map has an object ------------------------------------------------------ */

#if MVM_STAGE < 3
bool mvm_object_ref(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

void mvm_object_unref(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

uint64_t mvm_object_size(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

void object_unpin(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

int object_writer_enter(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

void object_writer_leave(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

struct mvm_page *index_get(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)obj, (void)index;
	NOT_YET(3);
}

struct mvm_page *index_next(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, bool unclean)
{
	(void)obj, (void)first, (void)last, (void)unclean;
	NOT_YET(3);
}

void index_check(struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

void map_around(struct area *a, mvm_vaddr_t at)
{
	(void)a, (void)at;
	NOT_YET(3);
}

/* Helps only: the page itself is mapped. */
void map_private(struct area *a, mvm_vaddr_t at, unsigned access, bool exclusive, bool upwards)
{
	(void)a, (void)at, (void)access, (void)exclusive, (void)upwards;
}

unsigned map_zeros(struct area *a, mvm_vaddr_t at)
{
	(void)a, (void)at;
	return 1;
}

int cache_get(struct mvm_object *obj, mvm_pgoff_t index, enum ahead how, uint32_t tag,
	struct mvm_page **out)
{
	(void)obj, (void)index, (void)how, (void)tag, (void)out;
	NOT_YET(3);
}

bool object_is_memory(const struct mvm_object *obj)
{
	(void)obj;
	NOT_YET(3);
}

bool cache_absent(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)obj, (void)index;
	NOT_YET(3);
}

int cache_put_zeros(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page, bool dirty)
{
	(void)obj, (void)index, (void)page, (void)dirty;
	NOT_YET(3);
}

bool cache_dirty_at_once(struct mvm_object *obj, struct mvm_page *page)
{
	(void)obj, (void)page;
	NOT_YET(3);
}

int cache_make_writable(struct mvm_object *obj, struct mvm_page *page, bool killable)
{
	(void)obj, (void)page, (void)killable;
	NOT_YET(3);
}
#endif

/* --- Without fork: no space has a history ----------------------------------------------------- */

#if MVM_STAGE < 2
void history_add(struct history *h, struct known *k, uint64_t vpn)
{
	(void)h;
	(void)k;
	(void)vpn;
}

void history_put(struct history *h)
{
	(void)h;
}
#endif
