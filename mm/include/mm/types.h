// SPDX-License-Identifier: MIT
/*
 * The scalars of mm, shared by all its public headers.  gnu99 and C++ clean.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t mvm_vaddr_t; /* a virtual address of some space, bytes */
typedef uint64_t mvm_pgoff_t;  /* a page number inside an object */
typedef uint32_t mvm_frame_t;  /* a physical page's number */

#define MVM_NO_FRAME ((mvm_frame_t)0xffffffffu)

#define MVM_PAGE_SHIFT 12
#define MVM_PAGE_BYTES ((size_t)1 << MVM_PAGE_SHIFT)
#define MVM_PAGE_MASK  (MVM_PAGE_BYTES - 1)

/* Rights of a mapping, of an area, of an access.  The bits are those of PROT_*. */
enum {
	MVM_READ = 1,
	MVM_WRITE = 2,
	MVM_EXEC = 4,
	MVM_RWX = 7,
};

/* Functions whose failure must not be ignored. */
#if defined(__GNUC__)
#define MVM_MUST_CHECK __attribute__((warn_unused_result))
#else
#define MVM_MUST_CHECK
#endif
